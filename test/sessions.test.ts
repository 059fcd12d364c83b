/** Trees of sessions, ten deep: acquisitions, work and releases fail while they are revoked and interrupted. */
import { Session, SessionError, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Cause, Data, Effect, Exit, Fiber, Schedule, Stream } from "effect"
import * as fc from "fast-check"
import { assert, it } from "vitest"

class Unavailable extends Data.TaggedError("Unavailable")<{ readonly node: Node }> {}
class WorkFailed extends Data.TaggedError("WorkFailed")<{ readonly node: Node }> {}
class ReleaseTrouble extends Data.TaggedError("ReleaseTrouble")<{ readonly node: Node }> {}

interface Node {
  readonly form: "use" | "scoped" | "acquire" | "stream"
  readonly acquire: "succeeds" | "fails" | "dies"
  readonly work: "succeeds" | "fails" | "dies" | "waits"
  readonly release: "succeeds" | "fails once" | "fails" | "dies" | "throws"
  readonly millis: number
  readonly isParallel: boolean
  readonly children: ReadonlyArray<Node>
}

interface Plan {
  readonly root: Node
  readonly revocations: ReadonlyArray<{ readonly at: number; readonly which: number; readonly deadline: number }>
  readonly isStruck: boolean
  readonly seed: number
}

const node = (depth: number): fc.Arbitrary<Node> =>
  fc.record({
    form: fc.constantFrom("use", "scoped", "acquire", "stream"),
    acquire: fc.oneof({ weight: 12, arbitrary: fc.constant("succeeds") }, fc.constantFrom("fails", "dies")),
    work: fc.oneof({ weight: 6, arbitrary: fc.constant("succeeds") }, fc.constantFrom("fails", "dies", "waits")),
    release: fc.oneof(
      { weight: 6, arbitrary: fc.constant("succeeds") },
      fc.constantFrom("fails once", "fails", "dies", "throws")
    ),
    millis: fc.integer({ min: 0, max: 30 }),
    isParallel: fc.boolean(),
    children: depth === 0
      ? fc.constant([])
      : fc.oneof(
        { weight: 5, arbitrary: fc.array(node(depth - 1), { minLength: 1, maxLength: 1 }) },
        fc.array(node(Math.min(depth - 1, 2)), { maxLength: 2 })
      )
  }) as fc.Arbitrary<Node>

const plan: fc.Arbitrary<Plan> = fc.record({
  root: node(10),
  revocations: fc.array(
    fc.record({ at: fc.integer({ min: 0, max: 60 }), which: fc.nat(30), deadline: fc.constantFrom(0, 5, 100) }),
    { maxLength: 3 }
  ),
  isStruck: fc.boolean(),
  seed: fc.integer({ min: 1, max: 1e6 })
})

/** An acquired thing: it must be released once, after everything inside it. */
class Things {
  readonly open = new Map<Node, number>()
  readonly defects = new Set<ReleaseTrouble>()
  private readonly tries = new Map<Node, number>()
  private readonly parents = new Map<Node, Node>()
  readonly wrong: Array<string> = []

  constructor(root: Node) {
    const walk = (parent: Node) => {
      for (const child of parent.children) {
        this.parents.set(child, parent)
        walk(child)
      }
    }
    walk(root)
  }

  /** Whether all around it hear how it ended: who loses a race, or is interrupted by its sibling's failure, is not heard. */
  isHeard(node: Node): boolean {
    const parent = this.parents.get(node)
    return node.form === "use" &&
      (parent === undefined || (!(parent.isParallel && parent.children.length > 1) && this.isHeard(parent)))
  }

  acquire(node: Node) {
    return Effect.gen({ self: this }, function*() {
      yield* Effect.sleep(node.millis % 3)
      if (node.acquire === "fails") return yield* new Unavailable({ node })
      if (node.acquire === "dies") return yield* Effect.die(new Unavailable({ node }))
      this.open.set(node, (this.open.get(node) ?? 0) + 1)
      return node
    })
  }

  /** Once it was tried for the last time, the thing is back, or lost. */
  readonly release = (node: Node): Effect.Effect<void, ReleaseTrouble> => {
    const tried = (this.tries.get(node) ?? 0) + 1
    this.tries.set(node, tried)
    if (tried === 1 && this.open.get(node) !== 1) this.wrong.push(`released ${this.open.get(node)} of a thing`)
    for (const [inner] of this.open) {
      for (let at = this.parents.get(inner); at !== undefined; at = this.parents.get(at)) {
        if (at === node) this.wrong.push("released before what is inside")
      }
    }
    const trouble = new ReleaseTrouble({ node })
    const isLast = node.release !== "fails once" && node.release !== "fails" ||
      tried === (node.release === "fails" ? 3 : 2)
    if (isLast && !this.open.delete(node)) this.wrong.push("released again")
    if (isLast && node.release !== "succeeds" && node.release !== "fails once") this.defects.add(trouble)
    if (node.release === "throws") throw trouble
    return Effect.andThen(
      Effect.yieldNow,
      node.release === "dies" ? Effect.die(trouble) : node.release === "succeeds" || isLast && node.release !== "fails"
        ? Effect.void
        : trouble
    )
  }
}

const info = (form: string): Session.Info => ({
  kind: "node",
  name: form,
  releaseRetry: Schedule.recurs(2)
})

const run = (things: Things, node: Node): Effect.Effect<void, SessionError.SessionError | Unavailable | WorkFailed> => {
  const work = Effect.gen(function*() {
    yield* Effect.sleep(node.millis)
    yield* Effect.all(node.children.map((child) => run(things, child)), {
      concurrency: node.isParallel ? "unbounded" : 1,
      discard: true
    })
    if (node.work === "fails") return yield* new WorkFailed({ node })
    if (node.work === "dies") return yield* Effect.die(new WorkFailed({ node }))
    if (node.work === "waits") return yield* Effect.never
  })
  const acquired = Session.acquire(info("acquired"), things.acquire(node), things.release)
  const minded = Effect.flatMap(
    acquired,
    ({ awaitRevoked, session }) =>
      Effect.raceFirst(Effect.provideService(work, Session.Current, session), Effect.flatMap(awaitRevoked, Effect.fail))
  )
  switch (node.form) {
    case "use":
      return Session.use(info("used"), things.acquire(node), things.release, () => work)
    case "scoped":
      return Session.scoped(info("scoped"))(minded)
    case "acquire":
      return Effect.scoped(minded)
    case "stream":
      return Stream.fromEffect(Effect.asVoid(minded)).pipe(Session.scopedStream(info("stream")), Stream.runDrain)
  }
}

const isExpected = (error: unknown): boolean =>
  error instanceof SessionError.SessionRevoked || error instanceof Unavailable || error instanceof WorkFailed ||
  error instanceof ReleaseTrouble || error instanceof SessionError.ReleaseFailed

const program = ({ isStruck, revocations, root }: Plan) =>
  Effect.gen(function*() {
    const things = new Things(root)
    const victim = isStruck ? Simulation.fork(run(things, root), "tree") : Effect.forkChild(run(things, root))
    const fiber = yield* victim
    const revoking = yield* Effect.forEach(revocations, ({ at, deadline, which }) =>
      Effect.forkChild(Effect.gen(function*() {
        yield* Effect.sleep(at)
        const all = yield* SessionRegistry.list()
        const id = all[which % Math.max(1, all.length)]?.id ?? 0
        return yield* SessionRegistry.revoke({ id }, { reason: "revoked", deadline })
      })))
    const outcomes = yield* Effect.forEach(revoking, Fiber.join)
    // What waits for ever has nothing to end by but this.
    yield* Effect.sleep("10 minutes")
    const last = yield* SessionRegistry.revoke({}, { reason: "all", deadline: 100 })
    const exit = yield* Fiber.await(fiber)
    yield* Simulation.check("everything comes back once, children first", things.wrong.length === 0, () =>
      things.wrong.join())
    yield* Simulation.check("nothing stays open", things.open.size === 0, () =>
      `${things.open.size} open`)
    const left = yield* SessionRegistry.list()
    yield* Simulation.check("the registry is empty", left.length === 0, () =>
      JSON.stringify(left))
    yield* Simulation.check("nothing ends the last", last.stuck.length === 0 || things.defects.size > 0)
    if (Exit.isSuccess(exit)) {
      return
    }
    const { reasons } = exit.cause
    const errors = reasons.flatMap((reason) =>
      Cause.isFailReason(reason) ? [reason.error] : Cause.isDieReason(reason) ? [reason.defect] : []
    )
    yield* Simulation.check("errors are those that happened", errors.every(isExpected), () =>
      String(exit))
    const isForced = [...outcomes, last].some(({ forced }) =>
      forced.length > 0
    )
    const told = new Set(errors.map((error) =>
      error instanceof SessionError.ReleaseFailed
        ? (error.cause as ReleaseTrouble).node
        : (error as ReleaseTrouble).node
    ))
    yield* Simulation.check(
      "a release that fails to the end is told, unless it was forced",
      isForced || [...things.defects].every(({ node }) => told.has(node) || !things.isHeard(node)),
      () => String(exit)
    )
    const isInterrupted = reasons.some(Cause.isInterruptReason)
    yield* Simulation.check(
      "nobody is interrupted but who was struck",
      !isInterrupted || (yield* Simulation.isStruck(fiber)),
      () => String(exit)
    )
    yield* Simulation.check("who fails is told why", isInterrupted || errors.length > 0, () => String(exit))
  }).pipe(Effect.provide(SessionRegistry.layer()))

it("trees of sessions release everything once, children first, and report it", { timeout: 120_000 }, () => {
  fc.assert(
    fc.property(plan, (plan) => {
      const { failures } = Simulation.run(program(plan), { seed: plan.seed })
      assert.deepStrictEqual(failures, [])
    }),
    { numRuns: 3_000, seed: 0x5eed }
  )
})
