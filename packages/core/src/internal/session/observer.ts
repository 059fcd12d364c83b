/** Observers are called in the step of the event. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/**
 * Calls an observer. What it throws changes nothing: it is logged by the fiber that caused the event, and the observer is
 * called for the next event as well.
 */
export const tell = <A>(observer: (event: A) => void, event: A): void => {
  try {
    observer(event)
  } catch (defect) {
    const context = Fiber.getCurrent()?.context ?? Context.empty()
    Effect.runForkWith(context)(Effect.logError("An observer of sessions threw", Cause.die(defect)))
  }
}
