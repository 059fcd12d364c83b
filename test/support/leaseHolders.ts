/**
 * A process whose fibers hold leases, one after the other, until its parent disconnects. `test/proofs/leases.ts` starts several,
 * kills them and pauses them.
 *
 * Each event is written to a file at once, with the time of the machine's monotonic clock, so that it outlives a `kill -9`.
 */
import { Lease } from "@clawback/core"
import { Effect, Exit, Fiber, Random } from "effect"
import { appendFileSync } from "node:fs"
import { argv, pid } from "node:process"
import { type Backend, storeLayer } from "./leaseBackends.ts"
import { now } from "./monotonic.ts"

/** What happened, in the order of the file. `lease` counts the leases of the process. */
export type Event =
  | { readonly type: "begin" | "write" | "end"; readonly at: number; readonly key: string; readonly token: number }
  | { readonly type: "attempt"; readonly at: number; readonly took: number; readonly error: string | undefined }

export interface Orders {
  readonly backend: Backend
  readonly file: string
  readonly ttl: number
  readonly wait: number
  readonly stepTimeout: number
  readonly longest: number
  /** How many may hold each key, and how many fibers want to. */
  readonly keys: Readonly<Record<string, { readonly limit: number; readonly fibers: number }>>
}

const orders = JSON.parse(argv[2] ?? "") as Orders
const record = (event: Event) => appendFileSync(orders.file, `${JSON.stringify(event)}\n`)

const work = (key: string, lease: Lease.Lease) =>
  Effect.gen(function*() {
    const { token } = lease
    const until = now() + (yield* Random.nextBetween(0, orders.longest))
    record({ type: "begin", at: now(), key, token })
    yield* Effect.gen(function*() {
      while (now() < until) {
        yield* Effect.sleep(yield* Random.nextBetween(10, 40))
        yield* lease.check
        // The check and the write are one step.
        record({ type: "write", at: now(), key, token })
      }
    }).pipe(Effect.ensuring(Effect.sync(() => record({ type: "end", at: now(), key, token }))))
  })

const tagOf = (exit: Exit.Exit<unknown, unknown>): string | undefined => {
  if (Exit.isSuccess(exit)) return undefined
  const [reason] = exit.cause.reasons
  const error = reason?._tag === "Fail" ? reason.error : undefined
  return typeof error === "object" && error !== null && "_tag" in error ? String(error._tag) : String(exit.cause)
}

const holding = (key: string, limit: number) =>
  Effect.gen(function*() {
    const { stepTimeout, ttl, wait } = orders
    for (;;) {
      const askedAt = now()
      let worked = 0
      const exit = yield* Effect.exit(
        Lease.use({ key, ttl, limit, wait, stepTimeout, poll: 50, holder: String(pid) }, (lease) => {
          const begun = now()
          return Effect.ensuring(work(key, lease), Effect.sync(() => void (worked = now() - begun)))
        })
      )
      record({ type: "attempt", at: now(), took: now() - askedAt - worked, error: tagOf(exit) })
      yield* Effect.sleep(exit._tag === "Success" ? 5 : 20)
    }
  })

const ended = Effect.callback<void>((resume) => {
  process.once("disconnect", () => resume(Effect.void))
})

const program = Effect.gen(function*() {
  const fibers = yield* Effect.forEach(
    Object.entries(orders.keys).flatMap(([key, { fibers, limit }]) =>
      Array.from({ length: fibers }, () => holding(key, limit))
    ),
    (holding) => Effect.forkChild(holding)
  )
  process.send?.("ready")
  yield* ended
  yield* Fiber.interruptAll(fibers)
})

await Effect.runPromise(Effect.provide(program, storeLayer(orders.backend)))
