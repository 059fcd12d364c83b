/** Who asks a model, and what he does with what it says. */
import { SessionRegistry } from "@clawback/core"
import { Effect, Queue, Schema, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import { Chat, talk } from "../chat.ts"
import { silence } from "../memoryServer.ts"
import { effect, type Program, stream } from "../program.ts"

const everyMode = ["interrupt", "close", "revoke"] as const
const words = talk(["why ", 10, "do ", 10, "sockets ", 10, "leak?"])
const stalled = talk(["why ", 10, "do ", silence])

const spoken = Stream.unwrap(Effect.map(Chat, ({ stream }) => stream))
const options = { form: "chat", handler: words, modes: everyMode } as const

const search = Tool.make("search", { parameters: Schema.Struct({ q: Schema.String }), success: Schema.String })
const clock = Tool.make("clock", { success: Schema.String })
const kit = Toolkit.make(search, clock)

export const programs: ReadonlyArray<Program> = [
  stream("model", "an answer as it comes", () => spoken, options),
  stream("model", "the first words of an answer", () => Stream.take(spoken, 2), options),
  stream("model", "an answer whose reader is slow", () => Stream.tap(spoken, () => Effect.sleep(25)), options),
  stream("model", "an answer, read ahead", () => Stream.buffer(spoken, { capacity: 2 }), options),
  stream("model", "two answers at once", () => Stream.zip(spoken, spoken), options),
  stream(
    "model",
    "the answer that begins first",
    () => Stream.race(spoken, Stream.fromEffect(Effect.as(Effect.sleep(500), "late"))),
    { ...options, modes: ["interrupt"] }
  ),
  stream(
    "model",
    "an answer inside of what holds something",
    ({ hold }) => Stream.unwrap(Effect.as(hold("a"), spoken)),
    options
  ),
  effect(
    "model",
    "an answer in one piece",
    ({ say }) => Effect.flatMap(Effect.flatMap(Chat, ({ generate }) => generate), say),
    { ...options, modes: ["interrupt", "revoke"] }
  ),
  effect(
    "model",
    "two answers in one piece at once",
    ({ say }) =>
      Effect.flatMap(
        Chat,
        ({ generate }) => Effect.flatMap(Effect.all([generate, generate], { concurrency: "unbounded" }), say)
      ),
    {
      ...options,
      modes: ["interrupt", "revoke"]
    }
  ),
  effect("model", "an answer that is given up", ({ say }) =>
    Effect.andThen(
      Effect.timeoutOption(Stream.runForEach(spoken, say), 15),
      Effect.flatMap(Effect.flatMap(Chat, ({ generate }) => generate), say)
    ), { ...options, modes: ["interrupt"] }),
  effect(
    "model",
    "an answer whose reader goes away for longer than a call may take",
    ({ say }) =>
      Effect.gen(function*() {
        const pull = yield* Stream.toPull(spoken)
        yield* Effect.flatMap(pull, (texts) => say(texts[0]))
        yield* Effect.sleep("1 hour")
        // Effect alone has no registry in which anything could be held.
        yield* say(yield* SessionRegistry.list({ kind: "call" }))
      }),
    { ...options, handler: stalled, modes: ["interrupt"] }
  ),
  effect("model", "an answer whose reader waits for somebody who never comes", ({ say }) =>
    Effect.gen(function*() {
      yield* Effect.forkChild(
        Stream.runForEach(spoken, () => Effect.flatMap(Queue.unbounded<number>(), (queue) => Queue.take(queue)))
      )
      yield* Effect.sleep("1 hour")
      yield* say(yield* SessionRegistry.list({ kind: "call" }))
    }), { ...options, modes: ["interrupt"] }),
  effect(
    "tools",
    "an answer that calls a tool, in one piece",
    ({ say }) =>
      LanguageModel.generateText({ prompt: "search", toolkit: kit }).pipe(
        Effect.flatMap(({ toolResults }) => say(toolResults.map(({ result }) => result))),
        Effect.provide(kit.toLayer({
          search: ({ q }) => Effect.as(Effect.sleep(20), `found ${q}`),
          clock: () => Effect.succeed("noon")
        }))
      ),
    {
      ...options,
      handler: talk([{ tool: "search", parameters: { q: "leaks" } }]),
      modes: ["interrupt"]
    }
  ),
  stream(
    "tools",
    "an answer that calls two tools, as it comes",
    ({ say }) =>
      LanguageModel.streamText({ prompt: "search", toolkit: kit }).pipe(
        Stream.map((part) =>
          part.type === "tool-result" ? [part.result] : part.type === "text-delta" ? [part.delta] : []
        ),
        Stream.flattenIterable,
        Stream.provide(kit.toLayer({
          search: ({ q }) => Effect.as(Effect.andThen(Effect.sleep(20), say("searching")), `found ${q}`),
          clock: () => Effect.as(Effect.sleep(5), "noon")
        }))
      ),
    {
      ...options,
      handler: talk([
        "let me see ",
        10,
        { tool: "search", parameters: { q: "leaks" } },
        10,
        { tool: "clock", parameters: {} }
      ]),
      modes: ["interrupt"]
    }
  )
]
