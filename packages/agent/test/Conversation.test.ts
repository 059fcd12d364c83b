import { Compaction, Conversation, ConversationStore } from "@clawback/agent"
import { Caller, ConversationBusy, LeaseStore, SessionRegistry } from "@clawback/core"
import { assert, describe, it } from "@effect/vitest"
import { Deferred, Effect, Exit, Fiber, Layer, Option, Stream } from "effect"
import { Prompt } from "effect/ai"
import { TestClock } from "effect/testing"
import { objections } from "../../../test/support/strictHistory.ts"
import * as Faulty from "./support/faultyStore.ts"

const stores = Layer.mergeAll(ConversationStore.layerMemory(), LeaseStore.layerMemory, SessionRegistry.layer())

const live = <E = never>(options: Conversation.Options<E> = {}) =>
  Conversation.layer(options).pipe(Layer.provideMerge(stores))

const withFaults = (faults: Faulty.Faults, options: Conversation.Options = {}) =>
  Conversation.layer(options).pipe(
    Layer.provideMerge(Layer.mergeAll(Faulty.layer(faults), LeaseStore.layerMemory, SessionRegistry.layer()))
  )

const proposing = (...calls: ReadonlyArray<string | [call: string, approval: string]>): Prompt.AssistantMessage =>
  Prompt.makeMessage("assistant", {
    content: calls.flatMap((one) => {
      const [id, approvalId] = typeof one === "string" ? [one, undefined] : one
      const call = Prompt.makePart("tool-call", {
        id,
        name: "search",
        params: { q: "sockets" },
        providerExecuted: false
      })
      return approvalId === undefined
        ? [call]
        : [call, Prompt.makePart("tool-approval-request", { approvalId, toolCallId: id })]
    })
  })

const rolesOf = ({ content }: Prompt.Prompt) => content.map(({ role }) => role)

const textsOf = ({ content }: Prompt.Prompt) =>
  content.flatMap((message) =>
    message.role === "system" ?
      [message.content] :
      message.content.flatMap((part) =>
        part.type === "text" ? [part.text] : part.type === "tool-result" ? [part.result] : []
      )
  )

const read = (id = "c1") =>
  Effect.tap(
    Conversation.read(id),
    ({ history }) => Effect.sync(() => assert.deepStrictEqual(objections(history), []))
  )

const failureOf = <A, E>(exit: Exit.Exit<A, E>) => Option.getOrUndefined(Exit.findErrorOption(exit))

const appending = (text: string) => (conversation: Conversation.Conversation) =>
  Effect.exit(conversation.append(text, { operation: "first" }))

/** Nothing is held, in this process and in the store of leases. */
const nothingHeld = Effect.gen(function*() {
  assert.deepStrictEqual(yield* SessionRegistry.list({}), [])
  const leases = yield* LeaseStore.LeaseStore
  assert.deepStrictEqual(yield* leases.holders("conversation/c1"), [])
})

describe("Conversation", () => {
  it.effect("keeps what was appended, for the next who opens it", () =>
    Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) => conversation.append("Why?"))
      const position = yield* Conversation.use("c1", (conversation) =>
        conversation.append(
          Prompt.make([{ role: "assistant", content: "Because." }, { role: "user", content: "Oh." }])
        ))
      assert.strictEqual(position.position, 3)
      const { history } = yield* read()
      assert.deepStrictEqual(textsOf(history), ["Why?", "Because.", "Oh."])
      yield* nothingHeld
    }).pipe(Effect.provide(live())))

  it.effect("is a session, inside of which the caller has its id", () =>
    Effect.gen(function*() {
      const seen = yield* Conversation.use("c1", () =>
        Effect.all([SessionRegistry.list({ conversation: "c1" }), Caller.Current]))
      assert.deepStrictEqual(
        seen[0].map(({ kind }) =>
          kind
        ),
        ["conversation", "lease"]
      )
      assert.deepStrictEqual(seen[1], { conversation: "c1", tenant: "t" })
      yield* nothingHeld
    }).pipe(Caller.provide({ tenant: "t" }), Effect.provide(live())))

  it.effect("lets one writer in at a time, in order", () =>
    Effect.gen(function*() {
      const gate = yield* Deferred.make<void>()
      const order: Array<number> = []
      const writer = (n: number) =>
        Conversation.use("c1", (conversation) =>
          Effect.andThen(
            Effect.sync(() => void order.push(n)),
            Effect.andThen(n === 0 ? Deferred.await(gate) : Effect.void, conversation.append(`text ${n}`))
          ))
      const fibers = []
      for (const n of [0, 1, 2, 3]) {
        fibers.push(yield* Effect.forkChild(writer(n)))
        yield* Effect.yieldNow
        yield* Effect.yieldNow
      }
      assert.deepStrictEqual(order, [0])
      yield* Deferred.succeed(gate, undefined)
      for (const fiber of fibers) yield* Fiber.join(fiber)
      assert.deepStrictEqual(order, [0, 1, 2, 3])
      assert.deepStrictEqual(textsOf((yield* read()).history), [0, 1, 2, 3].map((n) => `text ${n}`))
      yield* nothingHeld
    }).pipe(Effect.provide(live())))

  it.effect("fails with ConversationBusy if the writer before takes longer than `wait`", () =>
    Effect.gen(function*() {
      const first = yield* Effect.forkChild(Conversation.use("c1", () => Effect.never))
      yield* Effect.yieldNow
      const second = yield* Effect.forkChild(Effect.exit(Conversation.use("c1", () => Effect.void)))
      yield* TestClock.adjust("1 second")
      const error = failureOf(yield* Fiber.join(second))
      assert.instanceOf(error, ConversationBusy.ConversationBusy)
      assert.strictEqual(error.conversation, "c1")
      assert.isTrue(error.retry.isTransient)
      yield* Fiber.interrupt(first)
      yield* nothingHeld
    }).pipe(Effect.provide(live({ wait: "1 second" }))))

  it.effect("fails at once if as many wait as may", () =>
    Effect.gen(function*() {
      const holder = yield* Effect.forkChild(Conversation.use("c1", () => Effect.never))
      yield* Effect.yieldNow
      const waiting = yield* Effect.forkChild(Effect.exit(Conversation.use("c1", () => Effect.void)))
      yield* Effect.yieldNow
      const error = failureOf(yield* Effect.exit(Conversation.use("c1", () => Effect.void)))
      assert.instanceOf(error, ConversationBusy.ConversationBusy)
      assert.strictEqual(error.waiting, 1)
      yield* Fiber.interrupt(holder)
      assert.isTrue(Exit.isSuccess(yield* Fiber.join(waiting)))
      yield* Conversation.use("c1", () => Effect.void)
      yield* nothingHeld
    }).pipe(Effect.provide(live({ maxWaiters: 1 }))))

  it.effect("stays open while a stream is read, or its scope is open", () =>
    Effect.gen(function*() {
      const counts = Effect.map(SessionRegistry.list({ kind: "conversation" }), ({ length }) => length)
      const seen = yield* Conversation.useStream("c1", (conversation) =>
        Stream.fromEffect(Effect.andThen(conversation.append("Why?"), counts))).pipe(Stream.runCollect)
      assert.deepStrictEqual(Array.from(seen), [1])
      yield* Effect.scoped(Effect.gen(function*() {
        const conversation = yield* Conversation.open("c1")
        yield* conversation.append("And?")
        assert.strictEqual(yield* counts, 1)
      }))
      assert.deepStrictEqual(textsOf((yield* read()).history), ["Why?", "And?"])
      yield* nothingHeld
    }).pipe(Effect.provide(live())))

  it.effect("refuses changes after it was closed", () =>
    Effect.gen(function*() {
      const conversation = yield* Effect.scoped(Conversation.open("c1"))
      const error = failureOf(yield* Effect.exit(conversation.append("late")))
      assert.strictEqual(error?._tag, "LeaseLost")
    }).pipe(Effect.provide(live())))

  it.effect("asks for a lost answer again, with the same id", () => {
    const faults = Faulty.noFaults()
    return Effect.gen(function*() {
      faults.lost.append = 2
      const fiber = yield* Effect.forkChild(Conversation.use("c1", (conversation) => conversation.append("Why?")))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(faults.operations.length, 3)
      assert.strictEqual(new Set(faults.operations).size, 1)
      assert.deepStrictEqual(textsOf((yield* read()).history), ["Why?"])
    }).pipe(Effect.provide(withFaults(faults)))
  })

  it.effect("knows a repeated append by the id that the caller gives", () => {
    const faults = Faulty.noFaults()
    return Effect.gen(function*() {
      faults.lost.append = 2
      const append = appending("Why?")
      const fiber = yield* Effect.forkChild(Conversation.use("c1", append))
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(failureOf(yield* Fiber.join(fiber))?._tag, "StoreUnavailable")
      assert.isTrue(Exit.isSuccess(yield* Conversation.use("c1", append)))
      const error = failureOf(
        yield* Conversation.use(
          "c1",
          (conversation) => Effect.exit(conversation.append("What?", { operation: "first" }))
        )
      )
      assert.strictEqual(error?._tag, "OperationMismatch")
      assert.deepStrictEqual(textsOf((yield* read()).history), ["Why?"])
    }).pipe(Effect.provide(withFaults(faults, { attempts: 2 })))
  })

  it.effect("goes on after a change of which nothing is known", () => {
    const faults = Faulty.noFaults()
    return Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          faults.lost.append = 1
          assert.isTrue(Exit.isFailure(yield* Effect.exit(conversation.append("one"))))
          yield* conversation.append("two")
          assert.deepStrictEqual(textsOf(yield* conversation.history), ["one", "two"])
        }))
    }).pipe(Effect.provide(withFaults(faults, { attempts: 1 })))
  })

  it.effect("refuses a message that JSON cannot hold, and stores nothing", () =>
    Effect.gen(function*() {
      const part = Prompt.makePart("tool-call", { id: "a", name: "n", params: { big: 1n }, providerExecuted: false })
      const message = Prompt.makeMessage("assistant", { content: [part] })
      const exit = yield* Effect.exit(Conversation.use("c1", (conversation) => conversation.append(message)))
      assert.strictEqual(failureOf(exit)?._tag, "NotStorable")
      const wrong = { role: "nobody" } as never
      const other = yield* Effect.exit(Conversation.use("c1", (conversation) => conversation.append(wrong)))
      assert.strictEqual(failureOf(other)?._tag, "NotStorable")
      assert.deepStrictEqual((yield* read()).position, { incarnation: 0, position: 0 })
    }).pipe(Effect.provide(live())))

  it.effect("refuses what would make it larger than it may be", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Conversation.use("c1", (conversation) => conversation.append("x".repeat(2000))))
      assert.strictEqual(failureOf(exit)?._tag, "TooLarge")
      yield* Conversation.use("c1", (conversation) => conversation.append("x"))
    }).pipe(Effect.provide(live({ maxBytes: 1000 }))))

  it.effect("keeps opaque parts of a provider byte for byte", () =>
    Effect.gen(function*() {
      const signature = Array.from({ length: 50_000 }, (_, n) => String.fromCharCode(n % 0xd800)).join("") + "\ud800 \0"
      const message = Prompt.makeMessage("assistant", {
        content: [
          Prompt.makePart("reasoning", { text: "so\n", options: { clawback: { signature }, openai: { id: "r1" } } }),
          Prompt.makePart("text", { text: "Because.", options: { other: { nested: [1.5e300, null, "é"] } } }),
          Prompt.makePart("file", { mediaType: "image/png", data: new Uint8Array([0, 255, 7]) }),
          Prompt.makePart("file", { mediaType: "image/png", data: new URL("https://example.com/a.png") })
        ],
        options: { anthropic: { cache: true } }
      })
      yield* Conversation.use("c1", (conversation) => conversation.append(Prompt.fromMessages([message])))
      const { history } = yield* Conversation.read("c1")
      assert.deepStrictEqual(history.content, [message])
    }).pipe(Effect.provide(live())))

  it.effect("begins anew once it was idle for too long", () =>
    Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) => conversation.append("Why?"))
      yield* TestClock.adjust("29 minutes")
      yield* Conversation.use("c1", () => Effect.void)
      yield* TestClock.adjust("29 minutes")
      assert.deepStrictEqual(textsOf((yield* read()).history), ["Why?"])
      yield* TestClock.adjust("2 minutes")
      assert.deepStrictEqual(textsOf((yield* read()).history), [])
      yield* Conversation.use("c1", (conversation) => conversation.append("Hello"))
      assert.deepStrictEqual(textsOf((yield* read()).history), ["Hello"])
    }).pipe(Effect.provide(live({ idle: "30 minutes" }))))

  it.effect("does not come back after it was removed under its writer", () =>
    Effect.gen(function*() {
      const exit = yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append("Why?")
          assert.isTrue(yield* Conversation.remove("c1"))
          return yield* Effect.exit(conversation.append("And?"))
        }))
      assert.strictEqual(failureOf(exit)?._tag, "Conflict")
      assert.deepStrictEqual(textsOf((yield* read()).history), [])
      yield* Conversation.use("c1", (conversation) => conversation.append("Hello"))
      assert.deepStrictEqual(textsOf((yield* read()).history), ["Hello"])
    }).pipe(Effect.provide(live())))
})

describe("Tool calls of a conversation", () => {
  it.effect("run after their start is durable, and once", () =>
    Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append("Why?")
          yield* conversation.append(proposing("a"))
          assert.deepStrictEqual((yield* conversation.calls).map(({ state }) => state), ["proposed"])
          const result = yield* conversation.runTool("a", ({ params }) =>
            Effect.gen(function*() {
              const { calls } = yield* read()
              assert.deepStrictEqual(calls.map(({ state }) => state), ["started"])
              return { found: params }
            }))
          assert.deepStrictEqual(result.result, { found: { q: "sockets" } })
          const again = yield* Effect.exit(conversation.runTool("a", () => Effect.die("twice")))
          assert.deepInclude(failureOf(again), { _tag: "ToolCallState", state: "resolved" } as object)
          const missing = yield* Effect.exit(conversation.runTool("b", () => Effect.die("never")))
          assert.deepInclude(failureOf(missing), { _tag: "ToolCallState", state: "missing" } as object)
        }))
      const { calls, history } = yield* read()
      assert.deepStrictEqual(rolesOf(history), ["user", "assistant", "tool"])
      assert.deepStrictEqual(calls, [])
    }).pipe(Effect.provide(live())))

  it.effect("run side by side, and each gets its result", () =>
    Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append(["Why?"].map((content) => ({ role: "user", content }) as const))
          yield* conversation.append(proposing("a", "b", "c"))
          const run = (id: string, millis: number) =>
            conversation.runTool(id, () => Effect.as(Effect.sleep(millis), `done ${id}`))
          const fiber = yield* Effect.forkChild(
            Effect.all([run("a", 30), run("b", 10), run("c", 20)], { concurrency: "unbounded" })
          )
          yield* TestClock.adjust(100)
          yield* Fiber.join(fiber)
        }))
      const { history } = yield* read()
      assert.deepStrictEqual(textsOf(history), ["Why?", "done b", "done c", "done a"])
    }).pipe(Effect.provide(live())))

  it.effect("turn an error of the handler into a failed result, and an interruption into an unknown outcome", () =>
    Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append(proposing("a", "b", "c"))
          const failed = yield* conversation.runTool("a", () => Effect.fail("no network"))
          assert.deepInclude(failed, { isFailure: true, result: "no network" })
          const fiber = yield* Effect.forkChild(conversation.runTool("b", () => Effect.never))
          yield* Effect.yieldNow
          yield* Fiber.interrupt(fiber)
          const died = yield* Effect.exit(conversation.runTool("c", () => Effect.die("bug")))
          assert.isTrue(Exit.hasDies(died))
        }))
      const { calls, history } = yield* read()
      assert.deepStrictEqual(calls, [])
      const [one, two, three] = textsOf(history)
      assert.strictEqual(one, "no network")
      assert.include(String(two), "unknown")
      assert.include(String(three), "unknown")
    }).pipe(Effect.provide(live())))

  it.effect("do not run if their start is not known to be durable", () => {
    const faults = Faulty.noFaults()
    return Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append(proposing("a"))
          faults.lost.append = 1
          const exit = yield* Effect.exit(conversation.runTool("a", () => Effect.die("it ran")))
          assert.strictEqual(failureOf(exit)?._tag, "StoreUnavailable")
          const again = yield* Effect.exit(conversation.runTool("a", () => Effect.die("it ran")))
          assert.deepInclude(failureOf(again), { _tag: "ToolCallState", state: "started" } as object)
        }))
      yield* Conversation.use("c1", () => Effect.void)
      assert.include(String(textsOf((yield* read()).history)[0]), "unknown")
    }).pipe(Effect.provide(withFaults(faults, { attempts: 1 })))
  })

  it.effect("are ended when the conversation is opened after a crash, anywhere in the log", () =>
    Effect.gen(function*() {
      const store = yield* ConversationStore.ConversationStore
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append("Why?")
          yield* conversation.append(proposing("a", "b", ["c", "approval"]))
          yield* conversation.append("Hello?")
          const { incarnation, position } = yield* conversation.position
          // As a process leaves it that was killed while the handler ran.
          yield* store.append({
            conversation: "c1",
            operation: "killed",
            digest: "",
            expected: { incarnation, position },
            entries: [`{"_tag":"started","call":"a","at":1}`],
            expiry: { idle: undefined, absolute: undefined }
          })
        }))
      yield* read()
      yield* Conversation.use("c1", () => Effect.void)
      const { calls, history, position } = yield* read()
      assert.deepStrictEqual(calls.map(({ part, state }) => [part.id, state]), [["c", "awaiting"]])
      assert.deepStrictEqual(rolesOf(history), ["user", "assistant", "tool", "user"])
      const [, a, b, c] = textsOf(history).map(String)
      assert.include(a, "unknown")
      assert.include(b, "not run")
      assert.include(c, "awaits approval")
      yield* Conversation.use("c1", () => Effect.void)
      assert.deepStrictEqual((yield* read()).position, position)
    }).pipe(Effect.provide(live())))

  it.effect("wait for their approval as long as it takes, and run once it is given", () =>
    Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) => conversation.append(proposing(["a", "one"], ["b", "two"])))
      const early = yield* Conversation.use("c1", (conversation) =>
        Effect.exit(conversation.runTool("a", () => Effect.die("not yet"))))
      assert.deepInclude(failureOf(early), { _tag: "ToolCallState", state: "awaiting" } as object)
      yield* Conversation.use("c1", (conversation) =>
        Effect.andThen(conversation.approve("a"), conversation.deny("b", "too dangerous")))
      const { calls } = yield* read()
      assert.deepStrictEqual(calls.map(({ approvalId, state }) => [approvalId, state]), [["one", "approved"]])
      const denied = yield* Conversation.use("c1", (conversation) =>
        Effect.exit(conversation.runTool("b", () =>
          Effect.die("denied"))))
      assert.deepInclude(failureOf(denied), { _tag: "ToolCallState", state: "resolved" } as object)
      yield* Conversation.use("c1", (conversation) =>
        conversation.runTool("a", () =>
          Effect.succeed("done")))
      const { history } = yield* read()
      assert.deepStrictEqual(textsOf(history).toSorted(), [
        { type: "execution-denied", reason: "too dangerous" },
        "done"
      ])
    }).pipe(Effect.provide(live())))
})

const keepLast = (
  n: number,
  meanwhile: Effect.Effect<unknown, unknown> = Effect.void
): Conversation.Compactor<never> => ({
  compact: (items) =>
    items.length <= n
      ? Effect.succeedNone
      : Effect.as(Effect.orDie(meanwhile), Option.some({ items: items.slice(-n), steps: [{ by: "last", n }] }))
})

describe("Compaction of a conversation", () => {
  it.effect("comes before a request, and keeps the log", () =>
    Effect.gen(function*() {
      const prompt = yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          for (const text of ["one", "two", "three", "four"]) yield* conversation.append(text)
          return yield* conversation.prompt("five")
        }))
      assert.deepStrictEqual(textsOf(prompt), ["four", "five"])
      assert.deepStrictEqual(textsOf((yield* read()).history), ["four"])
      const store = yield* ConversationStore.ConversationStore
      assert.strictEqual((yield* store.load("c1", { from: 0 }))?.entries.length, 4)
      const next = yield* Conversation.use("c1", (conversation) =>
        Effect.andThen(conversation.append("five"), conversation.prompt()))
      assert.deepStrictEqual(textsOf(next), ["four", "five"])
    }).pipe(Effect.provide(live({ compaction: keepLast(2) }))))

  it.effect("keeps what is appended meanwhile", () => {
    let conversation: Conversation.Conversation | undefined
    let isFirst = true
    const meanwhile = Effect.suspend(() => {
      if (!isFirst || conversation === undefined) return Effect.void
      isFirst = false
      return conversation.append("meanwhile")
    })
    return Effect.gen(function*() {
      yield* Conversation.use("c1", (open) =>
        Effect.gen(function*() {
          conversation = open
          for (const text of ["one", "two", "three"]) yield* open.append(text)
          assert.deepStrictEqual(textsOf(yield* open.prompt()), ["two", "three", "meanwhile"])
        }))
      assert.deepStrictEqual(textsOf((yield* read()).history), ["two", "three", "meanwhile"])
    }).pipe(Effect.provide(live({ compaction: keepLast(2, meanwhile) })))
  })

  it.effect("is thrown away if the conversation is cleared meanwhile", () => {
    let conversation: Conversation.Conversation | undefined
    const meanwhile = Effect.suspend(() =>
      conversation === undefined ? Effect.void : Effect.andThen(conversation.clear, conversation.append("after"))
    )
    return Effect.gen(function*() {
      yield* Conversation.use("c1", (open) =>
        Effect.gen(function*() {
          conversation = open
          for (const text of ["one", "two", "three"]) yield* open.append(text)
          assert.deepStrictEqual(textsOf(yield* open.prompt()), ["after"])
        }))
      assert.deepStrictEqual(textsOf((yield* read()).history), ["after"])
    }).pipe(Effect.provide(live({ compaction: keepLast(2, meanwhile) })))
  })

  it.effect("changes nothing if it fails", () => {
    const compaction: Conversation.Compactor<string> = { compact: () => Effect.fail("no summary") }
    return Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append("one")
          const error = failureOf(yield* Effect.exit(conversation.prompt("two")))
          assert.deepInclude(error, { _tag: "CompactionFailed", cause: "no summary" } as object)
          assert.isTrue(Exit.isFailure(yield* Effect.exit(conversation.compact)))
        }))
      assert.deepStrictEqual(textsOf((yield* read()).history), ["one"])
    }).pipe(Effect.provide(live({ compaction })))
  })

  it.effect("loses no call that awaits approval or runs", () =>
    Effect.gen(function*() {
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.append("one")
          yield* conversation.append(proposing("a", ["b", "two"]))
          yield* conversation.runTool("a", () => Effect.as(Effect.asVoid(conversation.compact), "done"))
          assert.deepStrictEqual((yield* conversation.calls).map(({ state }) => state), ["awaiting"])
          yield* conversation.approve("b")
          yield* conversation.runTool("b", () => Effect.succeed("done too"))
        }))
      assert.deepStrictEqual(textsOf((yield* read()).history), ["done", "done too"])
    }).pipe(Effect.provide(live({ compaction: keepLast(1) }))))

  it.effect("clears once, even if the answer is lost", () => {
    const faults = Faulty.noFaults()
    return Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          yield* conversation.clear
          yield* conversation.append("one")
          faults.lost.setView = 1
          yield* conversation.clear
          yield* conversation.append("two")
        })))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(textsOf((yield* read()).history), ["two"])
    }).pipe(Effect.provide(withFaults(faults)))
  })
})
const build = (options: Conversation.Options) =>
  Effect.runSyncExit(Effect.scoped(Layer.build(Conversation.layer(options))))

describe("A layer of conversations", () => {
  const message = Prompt.makeMessage("user", { content: [Prompt.makePart("text", { text: "Why?" })] })

  it.effect("is made as the documents show it", () =>
    Effect.gen(function*() {
      const Conversations = Conversation.layer({ idle: "30 minutes", compaction: Compaction.tokens(8_000) })
      const { position } = yield* Conversation.use("c42", (conversation) => conversation.append(message)).pipe(
        Effect.provide(Conversations)
      )
      assert.strictEqual(position, 1)
    }).pipe(Effect.provide(stores)))

  it.effect("keeps requests within the budget of its compaction", () =>
    Effect.gen(function*() {
      const sizes: Array<number> = []
      yield* Conversation.use("c1", (conversation) =>
        Effect.gen(function*() {
          for (let n = 0; n < 30; n++) {
            const prompt = yield* conversation.prompt(`${n} ${"question ".repeat(20)}`)
            assert.deepStrictEqual(objections(prompt), [])
            sizes.push(prompt.content.length)
            yield* conversation.append(`${n} ${"question ".repeat(20)}`)
            yield* conversation.append({ role: "assistant", content: `${n} ${"answer ".repeat(20)}` })
          }
        }))
      assert.isBelow(Math.max(...sizes), 30)
      const store = yield* ConversationStore.ConversationStore
      assert.strictEqual((yield* store.load("c1", { from: 0 }))?.entries.length, 60)
    }).pipe(Effect.provide(live({ compaction: Compaction.tokens(600) }))))

  it("refuses options that cannot work", () => {
    for (const options of [{ idle: 0 }, { maxWaiters: -1 }, { attempts: 0 }, { wait: "Infinity" }, { bytes: 1 }]) {
      assert.isTrue(Exit.hasDies(build(options as Conversation.Options)))
    }
  })
})
