/** Which errors come from a shutdown. */
import type { Info } from "../../Session.ts"
import { isRevocation } from "../session/errors.ts"
import { ShuttingDown } from "./model.ts"

/** An error, its cause, the cause of that, and so on, each once. */
const causes = (error: unknown): ReadonlySet<object> => {
  const found = new Set<object>()
  for (let at = error; typeof at === "object" && at !== null && !found.has(at);) {
    found.add(at)
    at = "cause" in at ? at.cause : undefined
  }
  return found
}

export class Rejections {
  private readonly made = new WeakSet<object>()

  /** The error of work that is not admitted. */
  make({ kind, name }: Pick<Info, "kind" | "name">): ShuttingDown {
    const rejection = new ShuttingDown({ kind, work: name })
    this.made.add(rejection)
    return rejection
  }

  /** Whether an error has a rejection, or a revocation for this reason, among its causes. */
  isCauseOf(error: unknown, reason: string): boolean {
    return [...causes(error)].some((one) => this.made.has(one) || isRevocation(one, reason))
  }
}
