/**
 * What a session costs over the plain Effect that it stands in for: to open and close, to work and to stream in,
 * to keep open, to list.
 */
import * as Session from "@clawback/core/Session"
import type * as SessionError from "@clawback/core/SessionError"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { Duration, Effect, Layer, type Scope, Stream } from "effect"
import { parseArgs } from "node:util"
import { heapGrowth, interleave, nanosPerRun } from "./internal/measure.ts"
import { atMostAdded, atMostTimes, conclude } from "./internal/report.ts"

const { values: { smoke } } = parseArgs({ options: { smoke: { type: "boolean", default: false } } })
const rounds = (count: number) => smoke ? { rounds: 2, warmUp: 1 } : { rounds: count, warmUp: 5 }
/** Short, so that the machine's other work rarely falls into a sample. */
const runs = smoke ? 200 : 2_000
const many = smoke ? 1_000 : 100_000
const few = 10

const info: Session.Info = { kind: "connection", name: "https://api.example.com" }
const resource = { descriptor: 7 }
const acquire = Effect.succeed(resource)
const nothing = () => Effect.void
const something = () => Effect.sync(() => resource.descriptor)

const hold = () => Session.acquire(info, acquire, nothing)
const holdPlain = () => Effect.acquireRelease(acquire, nothing)

type Hold = () => Effect.Effect<unknown, SessionError.SessionError, Scope.Scope>

const openAndClose = interleave(rounds(401), {
  ours: nanosPerRun(runs, () => Effect.scoped(hold())),
  peer: nanosPerRun(runs, () => Effect.scoped(holdPlain())),
  oursReleasing: nanosPerRun(runs, () => Effect.scoped(Session.acquire(info, acquire, something))),
  peerReleasing: nanosPerRun(runs, () => Effect.scoped(Effect.acquireRelease(acquire, something))),
  oursUse: nanosPerRun(runs, () => Session.use(info, acquire, nothing, nothing)),
  peerUse: nanosPerRun(runs, () => Effect.acquireUseRelease(acquire, nothing, nothing))
})

const turning = () => Effect.yieldNow

/** What a session costs where its work waits for something, as nearly all work does: a turn of the scheduler here. */
const waiting = interleave(rounds(201), {
  ours: nanosPerRun(runs / 10, () => Session.use(info, acquire, nothing, turning)),
  peer: nanosPerRun(runs / 10, () => Effect.acquireUseRelease(acquire, nothing, turning))
})

const elements = smoke ? 20 : 200
/** As a provider's answer comes: each element by itself, after a turn. */
const numbers = () => Stream.fromEffectRepeat(Effect.as(Effect.yieldNow, 1))
const heldPlain = (count: number) =>
  Stream.unwrap(Effect.as(Effect.acquireRelease(acquire, nothing), Stream.take(numbers(), count)))
const held = (count: number) => Session.scopedStream(info)(Stream.take(numbers(), count))

const streaming = interleave(rounds(101), {
  ours: nanosPerRun(runs / 20, () => Stream.runDrain(held(1))),
  peer: nanosPerRun(runs / 20, () => Stream.runDrain(heldPlain(1))),
  oursLong: nanosPerRun(runs / 500, () => Stream.runDrain(held(elements))),
  peerLong: nanosPerRun(runs / 500, () => Stream.runDrain(heldPlain(elements)))
})

const perElement = (long: ReadonlyArray<number>) => long.map((nanos) => nanos / elements)

const heap = (hold: Hold) => Effect.scoped(Effect.map(heapGrowth(nanosPerRun(many, hold)), (bytes) => bytes / many))

const keepOpen = interleave(rounds(5), { ours: heap(hold), peer: heap(holdPlain) })

/** The least that can answer `list`: what the registry keeps of each session, copied out of a `Map` by hand. */
interface Row {
  readonly id: number
  readonly kind: string
  readonly name: string
  readonly parent: number | undefined
  readonly fiber: number
  readonly span: { readonly traceId: string; readonly spanId: string } | undefined
  readonly openedAt: number
  readonly attributes: Readonly<Record<string, unknown>> | undefined
}

const rows = new Map<number, Row>()
for (let id = 1; id <= many; id++) {
  rows.set(id, {
    id,
    ...info,
    parent: undefined,
    fiber: 1,
    span: undefined,
    openedAt: performance.now(),
    attributes: {}
  })
}

const copy = Effect.sync(() => {
  const now = performance.now()
  const copies: Array<SessionRegistry.Snapshot> = []
  for (const { attributes, fiber, id, kind, name, openedAt, parent, span } of rows.values()) {
    copies.push({
      id,
      kind,
      name,
      parent,
      state: "open",
      owner: { fiber, span: span && { ...span }, caller: undefined, site: undefined },
      age: Duration.millis(now - openedAt),
      attributes: attributes ?? {}
    })
  }
  return copies
})

const listOpen = Effect.scoped(Effect.andThen(
  nanosPerRun(many, hold),
  interleave(rounds(41), { ours: nanosPerRun(1, () => SessionRegistry.list()), peer: nanosPerRun(1, () => copy) })
))

const stayFlat = Effect.scoped(Effect.gen(function*() {
  const crowded = yield* Layer.build(Layer.fresh(SessionRegistry.layer()))
  const quiet = yield* Layer.build(Layer.fresh(SessionRegistry.layer()))
  yield* Effect.provideContext(nanosPerRun(many, hold), crowded)
  yield* Effect.provideContext(nanosPerRun(few, hold), quiet)
  const one = nanosPerRun(runs, () => Effect.scoped(hold()))
  return yield* interleave(rounds(401), {
    ours: Effect.provideContext(one, crowded),
    peer: Effect.provideContext(one, quiet)
  })
}))

const targets = await Effect.runPromise(Effect.gen(function*() {
  const cost = yield* openAndClose
  const stream = yield* streaming
  return [
    atMostAdded(400, { name: "open + close, over acquireRelease", unit: "ns", ours: cost.ours, peer: cost.peer }),
    atMostAdded(400, {
      name: "open + close with a release that runs, over acquireRelease",
      unit: "ns",
      ours: cost.oursReleasing,
      peer: cost.peerReleasing
    }),
    atMostAdded(400, { name: "use, over acquireUseRelease", unit: "ns", ours: cost.oursUse, peer: cost.peerUse }),
    atMostAdded(2_000, {
      name: "use by work that waits, over acquireUseRelease",
      unit: "ns",
      ...(yield* waiting)
    }),
    atMostAdded(12_000, {
      name: "a stream of one element, over one with acquireRelease",
      unit: "ns",
      ours: stream.ours,
      peer: stream.peer
    }),
    atMostAdded(2_000, {
      name: `each of ${elements} elements of a stream that wait, over one with acquireRelease`,
      unit: "ns",
      ours: perElement(stream.oursLong),
      peer: perElement(stream.peerLong)
    }),
    atMostAdded(250, {
      name: `heap per session, ${many} open in one scope, over acquireRelease`,
      unit: "B",
      ...(yield* keepOpen)
    }),
    atMostTimes(3, {
      name: `list ${many} open sessions, over copying them from a Map`,
      unit: "ns",
      ...(yield* listOpen)
    }),
    atMostTimes(1.1, {
      name: `open + close among ${many} others, over among ${few}`,
      unit: "ns",
      ...(yield* stayFlat)
    })
  ]
}))

conclude("session", targets)
