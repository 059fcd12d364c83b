/** What an error of a client says of how far a step got. */
import { hasProperty } from "effect/Predicate"

/** Errors wrap others: those of SQL have a reason, and that a cause. */
const depth = 4

/** Whether an error, or what caused it, says that the store never got the step. Then it was not made. */
export const isUnsent = (error: unknown): boolean => {
  const next = [error]
  for (let i = 0; i < depth; i++) {
    const one = next.pop()
    if (hasProperty(one, "retry") && hasProperty(one.retry, "reach")) return one.retry.reach === "unsent"
    if (hasProperty(one, "reason")) next.push(one.reason)
    else if (hasProperty(one, "cause")) next.push(one.cause)
  }
  return false
}
