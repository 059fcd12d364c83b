/** The end of a proof: one line of JSON with its name, its result and its figures, and the exit code. */
import { Cause, Effect, Exit, type Scope } from "effect"
import { exit, stdout } from "node:process"

/** Ends the process after this many seconds at the latest, even if something hangs. */
export const run = <A extends { readonly met: boolean }, E>(
  name: string,
  seconds: number,
  program: Effect.Effect<A, E, Scope.Scope>
): void => {
  const end = (outcome: { readonly met: boolean; readonly detail?: string }) => {
    stdout.write(`${JSON.stringify({ name, ...outcome })}\n`)
    exit(outcome.met ? 0 : 1)
  }
  // Apart from the program: a release of its that hangs must not hold up the end.
  const tooLate = Effect.sync(() => end({ met: false, detail: `not done in ${seconds} seconds` }))
  Effect.runFork(Effect.delay(tooLate, seconds * 1000))
  Effect.runCallback(Effect.scoped(program), {
    onExit: (result) => end(Exit.isSuccess(result) ? result.value : { met: false, detail: Cause.pretty(result.cause) })
  })
}
