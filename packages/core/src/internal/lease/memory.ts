/** The leases of one process, in its memory. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Monotonic from "../time/monotonic.ts"
import * as Machine from "./machine.ts"
import type { LeaseStore } from "./model.ts"

/** How many keys a step looks at, so that those whose holders were lost are forgotten. */
const looks = 2

export const make = (): LeaseStore => {
  // The keys that were changed last come last.
  const keys = new Map<string, Machine.State>()
  /** The highest token of all keys, so that a key needs no memory of its own once nobody holds it. */
  let highest = 0

  const save = (key: string, state: Machine.State): void => {
    highest = Math.max(highest, state.token)
    keys.delete(key)
    if (state.held.length > 0) keys.set(key, state)
  }

  const forget = (now: Machine.Now): void => {
    let looked = 0
    for (const [key, state] of keys) {
      if (looked++ === looks) return
      if (Machine.endsAt(state) <= now.millis) keys.delete(key)
      else save(key, state)
    }
  }

  const step = <A>(f: (now: Machine.Now, of: (key: string) => Machine.State) => A): Effect.Effect<A> =>
    Effect.withFiber((fiber) => {
      const clock = fiber.getRef(Clock.Clock)
      const now = {
        millis: Monotonic.millis(clock),
        micros: Math.floor(clock.currentTimeMillisUnsafe() * 1000),
        up: Infinity
      }
      return Effect.succeed(f(now, (key) => ({ token: highest, held: (keys.get(key) ?? Machine.empty).held })))
    })

  return {
    name: "memory",
    acquire: (request) =>
      step((now, of) => {
        forget(now)
        const [after, answer] = Machine.acquire(of(request.key), request, now)
        save(request.key, after)
        return answer
      }),
    renew: (renewal) =>
      step((now, of) => {
        const [after, isRenewed] = Machine.renew(of(renewal.key), renewal, now)
        save(renewal.key, after)
        return isRenewed
      }),
    release: (released) => step((now, of) => save(released.key, Machine.release(of(released.key), released, now))),
    holders: (key) => step((now, of) => Machine.holders(of(key), now))
  }
}
