/**
 * Conversations of three processes in one store, which they write, compact, clear and remove. Processes crash at any step and start
 * again. Steps of the store are not made, or their answers are lost. A process loses its leases. Writers are interrupted.
 *
 * Six writers open two conversations four times each. In the end everything is healed, and each conversation is opened once more.
 * The names of the properties say what must hold.
 */
import { Conversation, ConversationStore } from "@clawback/agent"
import { ConversationBusy, Lease, LeaseStore, SessionRegistry } from "@clawback/core"
import { Simulation } from "@clawback/testing"
import { Effect, Exit, Fiber, Layer, Option, Schema, Scope } from "effect"
import { Prompt } from "effect/ai"
import * as Worlds from "../support/conversationWorld.ts"

const conversations = ["c1", "c2"] as const
const processes = 3
const lives = 2
const writersEach = 2
const visitsEach = 4
const leaseTtl = 200

const maxWaiters = 2

const isExpected = Schema.is(Schema.Union([
  ConversationStore.StoreUnavailable,
  ConversationStore.StaleFence,
  ConversationBusy.ConversationBusy,
  Lease.LeaseLost,
  Lease.LeaseStoreError,
  Conversation.CompactionFailed,
  Conversation.ToolCallState
]))

const isRemoval = (error: unknown) => error instanceof ConversationStore.Conflict && error.what === "removed"

const judge = (exit: Exit.Exit<unknown, unknown>) =>
  Exit.isSuccess(exit) ? Effect.void : Effect.forEach(exit.cause.reasons, (reason) =>
    Effect.andThen(
      Simulation.check(
        "a writer gets a typed error",
        reason._tag === "Interrupt" ||
          (reason._tag === "Fail" && (isExpected(reason.error) || isRemoval(reason.error))),
        () => String(exit.cause)
      ),
      Simulation.check(
        "no more callers wait than may",
        reason._tag !== "Fail" || !(reason.error instanceof ConversationBusy.ConversationBusy) ||
          (reason.error.waiting ?? 0) <= maxWaiters
      )
    ), { discard: true })

type World = Worlds.World
type Process = Worlds.Process
type Open = Conversation.Conversation

const user = (text: string) => Prompt.makeMessage("user", { content: [Prompt.makePart("text", { text })] })

/** What a model answers: a text, and calls of tools. */
const answer = (text: string, calls: ReadonlyArray<{ readonly id: string; readonly needsApproval: boolean }>) =>
  Prompt.makeMessage("assistant", {
    content: [
      Prompt.makePart("text", { text }),
      ...calls.flatMap(({ id, needsApproval }): ReadonlyArray<Prompt.AssistantMessagePart> => {
        const call = Prompt.makePart("tool-call", { id, name: "tool", params: {}, providerExecuted: false })
        return needsApproval
          ? [call, Prompt.makePart("tool-approval-request", { approvalId: `approve ${id}`, toolCallId: id })]
          : [call]
      })
    ]
  })

/** Runs a tool, which must begin once, after its start is durable, and not against the user. */
const run = (world: World, process: Process, store: ConversationStore.ConversationStore, open: Open, id: string) =>
  open.runTool(id, () =>
    Effect.gen(function*() {
      if (process.isDead) return yield* Effect.interrupt
      const call = world.calls.get(id)
      if (call === undefined) return
      call.runs++
      yield* Simulation.check("no handler runs twice", call.runs === 1, id)
      yield* Simulation.check("no handler runs without approval", !call.needsApproval || call.isAnswered, id)
      yield* Simulation.check("no handler runs that was denied", !call.isDenied, id)
      const log = yield* Effect.orDie(store.load(call.conversation, { from: 0 }))
      const isDurable = log?.entries.some((text) => text.includes("\"started\"") && text.includes(`"${id}"`))
      // Another one may have removed the conversation meanwhile.
      yield* Simulation.check(
        "no handler runs before its start is durable",
        isDurable === true || log === undefined || log.isRemoved ||
          !log.entries.some((text) => text.includes(`"${id}"`)),
        id
      )
      yield* Simulation.latency(0, 40)
      if (yield* Simulation.fault("a tool fails", 0.2)) return yield* Effect.fail("no luck")
      return "done"
    })).pipe(Effect.tap(({ isFailure }) =>
      Effect.sync(() => {
        if (!isFailure && !process.isDead) world.done(id)
      })
    ))

/** A turn: the user says something, the model answers, and its tools run. */
const turn = Effect.fnUntraced(
  function*(world: World, process: Process, store: ConversationStore.ConversationStore, open: Open) {
    const asked = world.text(open.id, process)
    yield* world.appending([asked], open.append(user(asked.id)))
    yield* world.judged(open.id, open.prompt())
    yield* Simulation.latency(0, 30)
    const answered = world.text(open.id, process)
    const count = yield* Simulation.choose([0, 1, 2])
    const calls = []
    for (let i = 0; i < count; i++) calls.push(world.call(open.id, yield* Simulation.choose([false, false, true])))
    yield* world.appending([answered], open.append(answer(answered.id, calls)))
    const runs = calls.filter(({ needsApproval }) => !needsApproval).map(({ id }) =>
      run(world, process, store, open, id)
    )
    const again = calls[0]
    yield* Effect.all(runs, { concurrency: yield* Simulation.choose([1, 2]), discard: true })
    if (again !== undefined && (yield* Simulation.fault("a call is run again", 0.3))) {
      yield* judge(yield* Effect.exit(run(world, process, store, open, again.id)))
    }
  }
)

/** Answers what awaits approval, and runs what was approved. */
const approve = Effect.fnUntraced(
  function*(world: World, process: Process, store: ConversationStore.ConversationStore, open: Open) {
    for (const { part: { id }, state } of yield* open.calls) {
      const call = world.calls.get(id)
      if (call === undefined) continue
      if (state === "awaiting") {
        call.isAnswered = true
        const isApproved = yield* Simulation.choose([true, true, false])
        yield* isApproved ? open.approve(id) : open.deny(id, "no")
        // One that failed may not have been made.
        if (!isApproved && !process.isDead) call.isDenied = true
        if (yield* Simulation.choose([true, false])) continue
      }
      if (state === "approved" || state === "awaiting") yield* run(world, process, store, open, id)
    }
  }
)

const work = Effect.fnUntraced(
  function*(world: World, process: Process, store: ConversationStore.ConversationStore, open: Open) {
    const isWriter = world.enter(open.id)
    const steps = yield* Simulation.choose([1, 2, 3])
    for (let i = 0; i < steps; i++) {
      yield* Simulation.check("nobody writes once another one does", isWriter() || process.isDead)
      const kind = yield* Simulation.choose(["turn", "turn", "turn", "approve", "compact", "clear", "both"])
      switch (kind) {
        case "turn":
          yield* turn(world, process, store, open)
          break
        case "approve":
          yield* approve(world, process, store, open)
          break
        case "compact":
          yield* open.compact
          break
        case "clear":
          yield* world.clearing(open.id, process, open.clear)
          break
        case "both": {
          const compacting = yield* Effect.forkChild(Effect.exit(open.compact))
          const text = world.text(open.id, process)
          yield* Simulation.latency(0, 20)
          if (yield* Simulation.choose([true, false])) yield* world.clearing(open.id, process, open.clear)
          yield* world.appending([text], open.append(user(text.id)))
          yield* Fiber.join(compacting)
          break
        }
      }
      yield* world.judged(open.id, open.history)
    }
  }
)

const visit = Effect.fnUntraced(
  function*(world: World, process: Process, store: ConversationStore.ConversationStore) {
    const id = yield* Simulation.choose(conversations)
    const kind = yield* Simulation.choose(["use", "use", "use", "use", "read", "remove"])
    switch (kind) {
      case "use":
        return yield* Conversation.use(id, (open) => work(world, process, store, open)).pipe(
          Simulation.phase("writing")
        )
      case "read":
        return yield* world.judged(id, Effect.map(Conversation.read(id), ({ history }) => history), false)
      default:
        if (!(yield* Simulation.fault("a conversation is removed", 0.5))) return
        return yield* world.clearing(id, process, Conversation.remove(id), true)
    }
  }
)

const writer = Effect.fnUntraced(
  function*(world: World, process: Process, store: ConversationStore.ConversationStore) {
    for (let i = 0; i < visitsEach && !process.isDead; i++) {
      yield* Simulation.latency(0, 60)
      yield* judge(yield* Effect.exit(visit(world, process, store)))
    }
  }
)

/** One life of a process. It ends with its writers, or in the middle of a step. */
const live = Effect.fnUntraced(
  function*(
    world: World,
    process: Process,
    stores: { readonly store: ConversationStore.ConversationStore; readonly leases: LeaseStore.LeaseStore },
    isLast: boolean
  ) {
    const registry = SessionRegistry.layer()
    const layer = Conversation.layer({ leaseTtl, wait: 400, maxWaiters, compaction: Worlds.summarising }).pipe(
      Layer.provide(Layer.mergeAll(
        Layer.succeed(ConversationStore.ConversationStore, Worlds.storeOf(process, stores.store)),
        Layer.succeed(LeaseStore.LeaseStore, Worlds.leasesOf(process, stores.leases))
      )),
      Layer.provideMerge(registry)
    )
    yield* Effect.gen(function*() {
      const fibers: Array<Fiber.Fiber<unknown, unknown>> = []
      const scope = yield* Scope.make()
      yield* Scope.addFinalizer(
        scope,
        Effect.suspend(() => {
          process.isDead = true
          return Fiber.interruptAll(fibers)
        })
      )
      for (let i = 0; i < writersEach; i++) {
        fibers.push(yield* Simulation.fork(writer(world, process, stores.store), `${process.name} writer`))
      }
      const settle = isLast ? Effect.void : yield* Simulation.closeAtAnyStep(scope, { fault: "a process crashes" })
      if (yield* Simulation.fault("a process loses the store of leases", 0.2)) {
        yield* Simulation.latency(0, 100)
        process.isCutOff = true
        yield* Simulation.latency(leaseTtl, 2 * leaseTtl)
        process.isCutOff = false
      }
      for (const fiber of fibers) yield* Fiber.await(fiber)
      yield* settle
      for (const id of process.isDead ? [] : conversations) {
        const exit = yield* Effect.exit(Conversation.use(id, () => Effect.void))
        const busy = Exit.findErrorOption(exit).pipe(
          Option.filter((error) => error instanceof ConversationBusy.ConversationBusy)
        )
        yield* Simulation.check("a place is given back", Option.isNone(busy) || busy.value.waiting === 1)
      }
      // What a release could not do at once, it does later.
      yield* Effect.sleep(3 * leaseTtl)
      const left = yield* SessionRegistry.list({})
      yield* Simulation.check("everything is given back", left.length === 0, () => left.map(({ kind }) => kind).join())
    }).pipe(Effect.provide(layer))
  }
)

const program = Effect.gen(function*() {
  const world = new Worlds.World()
  const store = yield* ConversationStore.ConversationStore
  const leases = yield* LeaseStore.LeaseStore
  const stores = { store, leases }
  const fibers = yield* Effect.forEach(
    Array.from({ length: processes }),
    (_, n) =>
      Effect.forkChild(Effect.gen(function*() {
        for (let life = 0; life < lives; life++) {
          yield* live(world, new Worlds.Process(`p${n}.${life}`), stores, life === lives - 1)
        }
      }))
  )
  for (const fiber of fibers) yield* Fiber.join(fiber)

  yield* Simulation.heal
  for (const id of conversations) {
    const last = new Worlds.Process("the last")
    yield* Effect.gen(function*() {
      const open = new Set<string>()
      yield* Conversation.use(id, (conversation) =>
        Effect.gen(function*() {
          const calls = yield* conversation.calls
          yield* Simulation.check(
            "a writer finds nothing that another left behind",
            calls.every(({ state }) => state === "awaiting" || state === "approved"),
            () => calls.map(({ part, state }) => `${part.id} ${state}`).join()
          )
          for (const { part } of calls) open.add(part.id)
          const text = world.text(id, last)
          yield* world.appending([text], conversation.append(user(text.id)))
          yield* world.judged(id, conversation.history)
        }))
      const { history } = yield* Conversation.read(id)
      const proposed = new Set(
        history.content.flatMap((message) =>
          message.role === "assistant"
            ? message.content.flatMap((part) => part.type === "tool-call" ? [part.id] : [])
            : []
        )
      )
      for (const call of world.calls.values()) {
        if (call.conversation !== id || !call.needsApproval || call.isAnswered || !proposed.has(call.id)) continue
        yield* Simulation.check("a call waits for its approval for as long as it takes", open.has(call.id), call.id)
      }
    }).pipe(
      Effect.provide(
        Conversation.layer({ leaseTtl, wait: 4 * leaseTtl }).pipe(
          Layer.provide(Layer.succeed(ConversationStore.ConversationStore, store)),
          Layer.provide(Layer.succeed(LeaseStore.LeaseStore, leases))
        )
      )
    )
    const holders = yield* leases.holders(`conversation/${id}`)
    yield* Simulation.check("no lease is left", holders.length === 0)
  }
}).pipe(Effect.provide(Layer.mergeAll(ConversationStore.layerMemory(), LeaseStore.layerMemory)))

const scenario: Simulation.Scenario = {
  name: "Conversation",
  program,
  phases: ["writing"],
  faults: [
    "a step is not made",
    "an answer is lost",
    "a summary fails",
    "a tool fails",
    "a call is run again",
    "a conversation is removed",
    "a process crashes",
    "a process loses the store of leases"
  ]
}

export default scenario
