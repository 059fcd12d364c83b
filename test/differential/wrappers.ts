/** The wrappers of a program: none, Effect's counterpart, or ours. */
import { Deadline, Pool, Retry, Session, type SessionRegistry, Shutdown, Timeouts } from "@clawback/core"
import { Effect, Layer, Scope } from "effect"
import type { Acquire, Journal } from "./journal.ts"
import type { MemoryServer } from "./memoryServer.ts"
import type { Form, Services, Wrap } from "./program.ts"

/** The surroundings of a run. */
export interface World {
  readonly journal: Journal
  readonly server: MemoryServer
}

export interface Wrapper extends Wrap {
  readonly name: string
  /** Which programs it applies to. */
  readonly forms: ReadonlyArray<Form>
  /** The plain partners: what any of them can do, it may do. */
  readonly oracles: ReadonlyArray<Wrapper>
  /** Which sessions an operator revokes. None where it opens none that tell of it. */
  readonly revokes?: SessionRegistry.Filter | undefined
  /** Whether nobody waits in a scope that was closed. */
  readonly endsWithItsScope: boolean
  /** What the program runs in. */
  readonly layer: (world: World) => Layer.Layer<never>
  /** How many connections it has. */
  readonly connections: number
  /** What it may take longer than plain Effect to end, in milliseconds. */
  readonly slack: number
  /** What must still work when the program has ended. */
  readonly probe?: Effect.Effect<unknown, unknown, Services> | undefined
}

const acquire: Acquire = Effect.acquireRelease

/** Effect alone. */
export const plain: Wrapper = {
  name: "plain",
  forms: [],
  oracles: [],
  endsWithItsScope: false,
  layer: () => Layer.empty,
  connections: Infinity,
  slack: 0,
  stream: (self) => self,
  effect: (self) => self,
  acquire
}

/** No limit of ours is meant to pass, and none is without end, since that would switch it off. */
const long = "1 hour"
const timeouts = { firstToken: long, idle: long } as const
const info: Session.Info = { kind: "work", name: "of the table" }

/**
 * Effect's own way to run something on a fiber of its own: what it forks as a child ends with it. Each of ours that has to
 * interrupt its work, and not the caller, does so too.
 */
const onOwnFiber: Wrapper = {
  ...plain,
  name: "timeoutOrElse",
  effect: (self) => Effect.timeoutOrElse(self, { duration: long, orElse: () => Effect.die("it took an hour") })
}

type AroundStream = Wrap["stream"]
type AroundEffect = Wrap["effect"]

/** Every session that a wrapper opened here. */
const work: SessionRegistry.Filter = { kind: "work" }

const aroundStream = (name: string, isSession: boolean, stream: AroundStream): Wrapper => ({
  ...plain,
  name,
  forms: ["stream"],
  oracles: [plain],
  revokes: isSession ? work : undefined,
  endsWithItsScope: isSession,
  stream
})

const aroundEffect = (name: string, isSession: boolean, effect: AroundEffect): Wrapper => ({
  ...plain,
  name,
  forms: ["stream", "effect"],
  oracles: [plain, onOwnFiber],
  revokes: isSession ? work : undefined,
  effect
})

// A scope is taken out of what they need, which a generic signature cannot say.
const sessionStream = Session.scopedStream(info) as AroundStream
const admitStream = Shutdown.admitStream(info) as AroundStream
const timeoutsStream: AroundStream = (self) => Timeouts.applyStream<never>({ timeouts })(self as never)
const deadlineStream: AroundStream = (self) => Deadline.withinStream(long)(self)
const retryStream: AroundStream = (self) => Retry.applyStream(Retry.jittered())(self)

const sessionScoped = Session.scoped(info) as AroundEffect
const sessionUse: AroundEffect = (self) => Session.use(info, Effect.void, () => Effect.void, () => self)
const deadline: AroundEffect = (self) => Deadline.within(long)(self)
const retry: AroundEffect = (self) => Retry.apply(Retry.jittered())(self)
const admit: AroundEffect = (self) => Shutdown.admit(info)(self)

/** As many as any program borrows at once, and all of them open, so that a program leaves as many as it finds. */
const items = 16

class Items extends Pool.Service<Items>()("clawback/test/differential/Items", {
  acquire: Effect.sync(() => ({})),
  max: items,
  min: items,
  idleTimeToLive: "Infinity",
  maxLifetime: "Infinity"
}) {}

/** What needs the pool, in surroundings that have it. */
const pooled = (name: string, effect: AroundEffect): Wrapper => ({
  ...aroundEffect(name, false, effect),
  revokes: { kind: "borrow" },
  layer: () => Items.layer,
  probe: Effect.all(
    Array.from({ length: items }, () => Items.use(() => Effect.sleep(1))),
    { concurrency: "unbounded" }
  ) as Effect.Effect<unknown, unknown, any>
})

const poolUse = ((self) => Items.use(() => self)) as AroundEffect
const poolGet =
  ((self) => Effect.scopedWith((scope) => Effect.andThen(Scope.provide(Items.get, scope), self))) as AroundEffect

export const aroundWork: ReadonlyArray<Wrapper> = [
  aroundStream("Session.scopedStream", true, sessionStream),
  aroundStream("Timeouts.applyStream", false, timeoutsStream),
  aroundStream("Deadline.withinStream", false, deadlineStream),
  aroundStream("Retry.applyStream", false, retryStream),
  aroundStream("Shutdown.admitStream", true, admitStream),
  aroundStream("Session.scopedStream(Deadline.withinStream)", true, (self) => sessionStream(deadlineStream(self))),
  aroundStream(
    "Deadline.withinStream(Session.scopedStream(Timeouts.applyStream))",
    true,
    (self) => deadlineStream(sessionStream(timeoutsStream(self)))
  ),
  aroundStream(
    "Retry.applyStream(Session.scopedStream(Timeouts.applyStream))",
    true,
    (self) => retryStream(sessionStream(timeoutsStream(self)))
  ),
  aroundEffect("Session.scoped", true, sessionScoped),
  aroundEffect("Session.use", true, sessionUse),
  aroundEffect("Deadline.within", false, deadline),
  aroundEffect("Retry.apply", false, retry),
  aroundEffect("Shutdown.admit", true, admit),
  aroundEffect("Deadline.within(Retry.apply(Session.scoped))", true, (self) => deadline(retry(sessionScoped(self)))),
  aroundEffect("Shutdown.admit(Deadline.within)", true, (self) => admit(deadline(self))),
  pooled("Pool.use", poolUse),
  pooled("Pool.get", poolGet),
  pooled("Deadline.within(Pool.use)", (self) => deadline(poolUse(self))),
  {
    ...plain,
    name: "Session.acquire",
    forms: ["stream", "effect"],
    oracles: [plain],
    acquire: (acquire, release) => Effect.map(Session.acquire(info, acquire, release), ({ value }) => value)
  }
]
