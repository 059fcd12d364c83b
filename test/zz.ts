import { Session, SessionRegistry } from "@clawback/core"
import { Effect, Exit, Fiber } from "effect"
const info = { kind: "a", name: "b" }
const part = process.argv[2], depth = Number(process.argv[3])
const nest = (d: number): Effect.Effect<number, any> =>
  d === 0 ? Effect.succeed(0) : Session.use(info, Effect.void, () => Effect.void, () => nest(d - 1))
const chain = (d: number): Effect.Effect<never, any> =>
  d === 0 ? Effect.never : Session.use(info, Effect.void, () => Effect.void, () => chain(d - 1))
const turn = (times: number) => Effect.repeat(Effect.yieldNow, { times }).pipe(Effect.asVoid)
const t0 = performance.now()
await Effect.runPromise(Effect.gen(function*() {
  if (part === "nest") console.log(yield* Effect.exit(nest(depth)))
  else {
    const fiber = yield* Effect.forkChild(chain(depth))
    yield* turn(depth)
    console.log((yield* SessionRegistry.list()).length, performance.now() - t0)
    if (part === "revoke") {
      const r = yield* SessionRegistry.revoke({}, { reason: "x" })
      console.log(r.revoked.length, r.forced.length, r.stuck.length)
    } else yield* Fiber.interrupt(fiber)
    const exit = yield* Fiber.await(fiber)
    console.log(Exit.hasDies(exit), String(exit).slice(0, 200), performance.now() - t0)
  }
  console.log((yield* SessionRegistry.list()).length, performance.now() - t0)
}))
