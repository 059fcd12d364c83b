/** Those who are told of what happens, in the step in which it does. */
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

/**
 * Tells one observer. What it throws is nothing to those it observes: it goes to the log of whoever caused the event, and
 * the observer hears of the next one, too.
 */
export const tell = <A>(observer: (event: A) => void, event: A): void => {
  try {
    observer(event)
  } catch (defect) {
    const context = Fiber.getCurrent()?.context ?? Context.empty()
    Effect.runForkWith(context)(Effect.logError("An observer of sessions threw", Cause.die(defect)))
  }
}
