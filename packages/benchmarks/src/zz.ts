import * as Session from "@clawback/core/Session"
import { Effect } from "effect"
const nanosPerRun = (runs: number, body: () => Effect.Effect<unknown, unknown>) =>
  Effect.suspend(() => {
    let left = runs
    const start = performance.now()
    return Effect.map(Effect.whileLoop({ while: () => left-- > 0, body, step: () => {} }), () =>
      (performance.now() - start) * 1e6 / runs)
  })
const info: Session.Info = { kind: "connection", name: "https://api.example.com" }
const resource = { descriptor: 7 }
const acquire = Effect.succeed(resource)
const nothing = () => Effect.void
const something = () => Effect.sync(() => resource.descriptor)
const sync = Effect.sync(() => resource)
const cases: Record<string, [() => Effect.Effect<unknown, unknown>, () => Effect.Effect<unknown, unknown>]> = {
  plain: [
    () => Effect.scoped(Session.acquire(info, acquire, nothing)),
    () => Effect.scoped(Effect.acquireRelease(acquire, nothing))
  ],
  running: [
    () => Effect.scoped(Session.acquire(info, sync, something)),
    () => Effect.scoped(Effect.acquireRelease(sync, something))
  ],
  use: [() => Session.use(info, acquire, nothing, nothing), () => Effect.acquireUseRelease(acquire, nothing, nothing)],
  useAsync: [
    () => Session.use(info, acquire, nothing, () => Effect.yieldNow),
    () => Effect.acquireUseRelease(acquire, nothing, () => Effect.yieldNow)
  ]
}
const only = process.argv[2]
const n = 300_000
await Effect.runPromise(Effect.gen(function*() {
  for (const [name, [ours, peer]] of Object.entries(cases)) {
    if (only !== undefined && only !== name) continue
    const k = name === "useAsync" ? n / 10 : n
    let p = Infinity, o = Infinity
    for (let i = 0; i < 400; i++) {
      p = Math.min(p, yield* nanosPerRun(k / 300, peer))
      o = Math.min(o, yield* nanosPerRun(k / 300, ours))
    }
    console.log(name, "min added", (o - p).toFixed(0), "ours", o.toFixed(0), "peer", p.toFixed(0))
  }
}))
