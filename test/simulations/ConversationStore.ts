/**
 * Three conversations in a store in memory that has room for two of them, before a second store. Requests and answers are lost,
 * and requests arrive late. Writers are interrupted, and repeat what they do not know the outcome of.
 *
 * Four writers append, two at a time hold the same conversation with tokens of different age. Others summarise, clear, trim, remove
 * and read. In the end everything is healed, repeated, and saved in the second store; then it expires. The names of the properties
 * say what must hold.
 */
import type { ConversationStore as Types } from "@clawback/agent"
import { Simulation } from "@clawback/testing"
import { type Cause, Effect, Exit, Fiber } from "effect"
import {
  acknowledge,
  contentOf,
  idle,
  makeStores,
  maxConversations,
  network,
  now,
  observe,
  type Port,
  summaryOf,
  tombstone,
  Truth
} from "../support/storeWorld.ts"

const conversations = ["a", "b", "c"] as const
const nothing = { incarnation: 0, position: 0 }
const expiry = { idle, absolute: undefined }

interface World {
  readonly truth: Truth
  readonly store: Port
  /** Appends whose outcome is not known. */
  readonly pending: Map<string, Types.Append>
}

const load = ({ store, truth }: World, conversation: string, options?: Types.LoadOptions) =>
  Effect.gen(function*() {
    const at = yield* now
    const mustBe = truth.present(conversation, at)
    const snapshots = new Map<number, ReturnType<Truth["before"]>>()
    for (const { conversation: name, cursor } of truth.acknowledged.values()) {
      if (name === conversation) snapshots.set(cursor.incarnation, truth.before(conversation, cursor.incarnation, at))
    }
    const loaded = yield* network(store.load(conversation, options))
    const isThere = loaded !== undefined && !loaded.isRemoved
    yield* Simulation.check(
      "a conversation that is used is not forgotten",
      mustBe === undefined || truth.present(conversation, yield* now) !== mustBe ||
        (isThere && loaded.cursor.incarnation === mustBe),
      () => JSON.stringify([mustBe, loaded])
    )
    if (loaded === undefined) return undefined
    const none = truth.before(conversation, loaded.cursor.incarnation, at)
    yield* observe(
      truth,
      loaded,
      snapshots.get(loaded.cursor.incarnation) ??
        { ...none, places: [], known: { end: 0, fence: 0, cleared: 0, version: 0 } }
    )
    if (options?.touch !== undefined && isThere) truth.use(conversation, loaded.cursor.incarnation, at)
    return loaded
  })

/** One attempt. It stays pending if it is interrupted, or its outcome is not known. */
const attempt = ({ pending, store, truth }: World, change: Types.Append) =>
  Effect.gen(function*() {
    const { conversation, operation } = change
    const at = yield* now
    const removed = truth.removedOf(conversation)
    const fences = new Map(
      [...truth.acknowledged.values()].filter((_) => _.conversation === conversation).map(({ cursor }) =>
        [cursor.incarnation, truth.of(conversation, cursor.incarnation).fence] as const
      )
    )
    pending.set(operation, change)
    const exit = yield* Effect.exit(network(store.append(change)))
    if (Exit.isSuccess(exit)) {
      pending.delete(operation)
      yield* acknowledge(truth, change, exit.value, at, removed, fences)
      return undefined
    }
    const [reason] = exit.cause.reasons
    if (reason?._tag !== "Fail") return yield* Effect.failCause(exit.cause as Cause.Cause<never>)
    const { error } = reason
    if (error._tag === "StoreUnavailable") return error
    // A late first attempt may still begin a conversation, once the tombstone has ended.
    if (change.expected.incarnation !== 0) {
      yield* Simulation.check(
        "what was made is not refused later",
        !truth.acknowledged.has(operation) || error._tag !== "Conflict" ||
          error.what === "removed",
        operation
      )
    }
    pending.delete(operation)
    return error
  })

/** Appends wherever the end is. */
const append = (world: World, change: Types.Append, left = 4): Effect.Effect<void> =>
  Effect.gen(function*() {
    const error = yield* attempt(world, change)
    if (error === undefined || left === 0) return
    if (error._tag === "StoreUnavailable") return yield* append(world, change, left - 1)
    if (error._tag !== "Conflict" || change.expected.incarnation === 0 && error.what === "position" && left < 4) {
      if (change.expected.incarnation !== 0 && error._tag === "StaleFence") {
        world.truth.refused.add(change.operation)
      }
      return
    }
    if (change.expected.incarnation === 0 && world.pending.has(change.operation)) return
    yield* append(world, { ...change, expected: error.actual }, left - 1)
  })

const writer = (world: World, name: string) =>
  Effect.gen(function*() {
    const tokens = new Map<string, number>()
    for (let i = 0; i < 6; i++) {
      const conversation = yield* Simulation.choose(conversations)
      yield* Simulation.latency(0, 40)
      const loaded = yield* Effect.option(load(world, conversation, { touch: expiry }))
      if (loaded._tag === "None") continue
      const hasToken = yield* Simulation.choose([true, true, false])
      if (!tokens.has(conversation) || (yield* Simulation.choose([true, false]))) {
        tokens.set(conversation, world.truth.token())
      }
      const operation = `${name}${i}`
      const entries = (yield* Simulation.choose([1, 2])) === 1
        ? [`${operation}/1`]
        : [`${operation}/1`, `${operation}/2`]
      const change = {
        conversation,
        operation,
        digest: operation,
        expected: loaded.value?.cursor ?? nothing,
        entries,
        fence: hasToken ? tokens.get(conversation) : undefined,
        expiry
      }
      yield* Simulation.latency(0, 15)
      yield* append(world, change)
    }
  }).pipe(Effect.ignore, Simulation.phase("writing"))

/** Summarises, or clears, and drops what the view stands for. */
const summariser = (world: World) =>
  Effect.gen(function*() {
    const { store, truth } = world
    for (let i = 0; i < 10; i++) {
      const conversation = yield* Simulation.choose(conversations)
      yield* Simulation.latency(0, 30)
      const loaded = yield* Effect.option(load(world, conversation))
      if (loaded._tag === "None" || loaded.value === undefined || loaded.value.isRemoved) continue
      const { cursor: { incarnation, position }, view } = loaded.value
      const version = view?.version ?? 0
      const doing = yield* Simulation.choose(["summarise", "summarise", "clear", "trim", "shorten"] as const)
      yield* Simulation.latency(0, 30)
      if (doing === "trim") {
        yield* Effect.ignore(network(store.trim({ conversation, incarnation, upTo: position })))
        continue
      }
      const upTo = doing === "shorten" ? Math.max(0, (view?.upTo ?? 0) - 1) : position
      const { cleared } = summaryOf(loaded.value)
      const items = contentOf(loaded.value).filter(([position]) => position <= upTo)
      const text = JSON.stringify(doing === "clear" ? { cleared: upTo, items: [] } : { cleared, items })
      const set = yield* Effect.result(network(store.setView({ conversation, incarnation, version, upTo, text })))
      if (set._tag === "Failure") continue
      const known = truth.of(conversation, incarnation)
      yield* Simulation.check(
        "a view replaces the one that its writer knows",
        !known.versions.has(set.success.version)
      )
      known.versions.add(set.success.version)
      known.version = Math.max(known.version, set.success.version)
      if (doing === "clear") known.cleared = Math.max(known.cleared, upTo)
    }
  }).pipe(Simulation.phase("summarising"))

const remover = (world: World, second: Port) =>
  Effect.gen(function*() {
    const { store, truth } = world
    for (let i = 0; i < 3; i++) {
      yield* Simulation.latency(30, 150)
      const conversation = yield* Simulation.choose(conversations)
      const loaded = yield* Effect.option(load(world, conversation))
      if (loaded._tag === "None" || loaded.value === undefined || loaded.value.isRemoved) continue
      const { incarnation } = loaded.value.cursor
      const at = yield* now
      truth.beginRemoval(conversation, Infinity)
      const removed = yield* Effect.exit(network(store.remove(conversation, { incarnation })))
      // The request may be late.
      truth.beginRemoval(conversation, (yield* now) + 100)
      if (!Exit.isSuccess(removed) || !removed.value) continue
      truth.remove(conversation, incarnation, at + tombstone)
      const left = yield* second.load(conversation)
      yield* Simulation.check(
        "what was removed is not in the second store either",
        left === undefined || left.isRemoved || left.cursor.incarnation > incarnation
      )
    }
  }).pipe(Simulation.phase("removing"))

const reader = (world: World) =>
  Effect.gen(function*() {
    for (let i = 0; i < 8; i++) {
      yield* Simulation.latency(0, 60)
      yield* Effect.ignore(load(world, yield* Simulation.choose(conversations), { from: 0 }))
    }
  }).pipe(Simulation.phase("reading"))

const judge = (world: World, { memory, saving, second, secondMemory, store }: Effect.Success<typeof makeStores>) =>
  Effect.gen(function*() {
    yield* Simulation.heal
    // What is late has arrived.
    yield* Effect.sleep(100)
    for (const change of world.pending.values()) yield* attempt(world, change)
    yield* Simulation.check("healed, no outcome stays unknown", world.pending.size === 0)
    for (const conversation of conversations) yield* load(world, conversation, { from: 0 })
    // What is idle is compressed meanwhile.
    yield* Effect.sleep(150)
    const weights = Array.from(memory.residents.byAge(), (resident) => resident.measure())
    yield* Simulation.check(
      "the memory of all is the sum of what each takes",
      memory.residents.bytes === weights.reduce((sum, weight) => sum + weight, 0)
    )
    for (const conversation of ["d", "e", "f"]) {
      const digest = conversation
      yield* store.append({ conversation, operation: "one", digest, expected: nothing, entries: [digest], expiry })
      yield* Simulation.check(
        "no more conversations are in memory than may be",
        memory.residents.size <= maxConversations,
        () => `${memory.residents.size}`
      )
    }
    yield* saving.persist
    for (const conversation of conversations) {
      const own = yield* store.load(conversation, { from: 0 })
      const saved = yield* second.load(conversation, { from: 0 })
      yield* Simulation.check(
        "what was saved is what there is",
        JSON.stringify(own) === JSON.stringify(saved),
        () => `${JSON.stringify(own)} ${JSON.stringify(saved)}`
      )
    }
    yield* Effect.sleep(idle + tombstone + 1000)
    yield* second.sweep
    yield* Simulation.check(
      "nothing is left of what has expired",
      memory.residents.size + secondMemory.residents.size + memory.residents.bytes === 0,
      () => `${memory.residents.size} ${secondMemory.residents.size} ${memory.residents.bytes}`
    )
  })

const program = Effect.gen(function*() {
  const stores = yield* makeStores
  const world: World = { truth: new Truth(), store: stores.store, pending: new Map() }
  const fibers = yield* Effect.forEach(
    [
      ...["w", "x", "y", "z"].map((name) => writer(world, name)),
      summariser(world),
      summariser(world),
      remover(world, stores.second),
      reader(world)
    ],
    (work, i) => Simulation.fork(work, `fiber ${i}`)
  )
  yield* Effect.forEach(fibers, Fiber.await)
  yield* judge(world, stores)
  yield* stores.close
})

export default {
  name: "ConversationStore",
  program,
  phases: ["writing", "summarising", "removing", "reading"],
  faults: [
    "a request is lost",
    "a request is late",
    "an answer is lost",
    "a request to the second store is lost",
    "a request to the second store is late",
    "an answer of the second store is lost"
  ]
} satisfies Simulation.Scenario
