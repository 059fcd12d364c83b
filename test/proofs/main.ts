/**
 * Real conversations with tools, streamed over real sockets, with a server by others.
 *
 * `npm run prove -- main [--scale small|full]`: full, the default, takes every conversation in `CLAWBACK_DATA`, or the
 * sample in `test/data`; small takes three. Each request contains the responses before it, and the server responds only to
 * histories that it knows. So it checks our requests, and we check its responses. Each provider runs all of it over its own
 * protocol.
 */
import Anthropic from "@anthropic-ai/sdk"
import { SessionRegistry } from "@clawback/core"
import { NodeProbes, NodeTransport } from "@clawback/node"
import * as Providers from "@clawback/providers"
import { ConfigProvider, Console, Duration, Effect, Exit, Fiber, Layer, Schema, Stream } from "effect"
import { LanguageModel, Prompt, type Response, Tool, Toolkit } from "effect/ai"
import { deepStrictEqual } from "node:assert/strict"
import { pid } from "node:process"
import OpenAI from "openai"
import * as Child from "../support/child.ts"
import {
  type Conversation,
  conversations,
  keyOf,
  toolNames,
  type Turn,
  turns,
  type WireMessage
} from "../support/conversations.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"

const size = scale() === "small" ? 3 : Infinity
const concurrency = 16
const all = conversations(size)
const byKey = new Map(turns(all).map((turn) => [turn.key, turn]))
const random = seeded(0x5eed)
const apiKey = "sk-no-real-key"

/** The data names the tools that were called, not their parameters. */
const parameters = { type: "object", additionalProperties: true }
const names = toolNames([...byKey.values()])
const toolkit = Toolkit.make(...names.map((name) => Tool.dynamic(name, { parameters, success: Schema.String })))

interface Answer {
  readonly text: string
  readonly calls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly params: unknown }>
  readonly usage: { readonly input: number | undefined; readonly output: number | undefined }
}

const told = ({ answer, usage }: Turn): Answer => ({
  text: answer.content ?? "",
  calls: (answer.tool_calls ?? []).map((call) => ({
    id: call.id,
    name: call.function.name,
    params: JSON.parse(call.function.arguments)
  })),
  usage: { input: usage.prompt_tokens, output: usage.completion_tokens }
})

type Part = Response.StreamPart<typeof toolkit.tools>

const said = (parts: ReadonlyArray<Part>): Answer => {
  const finish = parts.findLast((part) => part.type === "finish")
  return {
    text: parts.map((part) => part.type === "text-delta" ? part.delta : "").join(""),
    calls: parts.filter((part) => part.type === "tool-call").map(({ id, name, params }) => ({ id, name, params })),
    usage: { input: finish?.usage.inputTokens.total, output: finish?.usage.outputTokens.total }
  }
}

/** What the OpenAI SDK makes of the same turn. */
const askOpenAi = async (client: OpenAI, { history }: Turn): Promise<Answer> => {
  const stream = await client.chat.completions.create({
    model: "gpt-5",
    messages: history as unknown as Array<OpenAI.ChatCompletionMessageParam>,
    tools: names.map((name) => ({ type: "function", function: { name, parameters } })),
    stream: true,
    stream_options: { include_usage: true }
  })
  let text = ""
  let usage: OpenAI.CompletionUsage | undefined
  const calls: Array<{ id: string; name: string; text: string }> = []
  for await (const { choices, usage: counted } of stream) {
    usage = counted ?? usage
    text += choices[0]?.delta.content ?? ""
    for (const { index, id, function: details } of choices[0]?.delta.tool_calls ?? []) {
      const call = calls[index] ??= { id: id ?? "", name: details?.name ?? "", text: "" }
      call.text += details?.arguments ?? ""
    }
  }
  return {
    text,
    calls: calls.map(({ id, name, text }) => ({ id, name, params: JSON.parse(text) })),
    usage: { input: usage?.prompt_tokens, output: usage?.completion_tokens }
  }
}

const anthropicMessage = (message: WireMessage): ReadonlyArray<Anthropic.MessageParam> => {
  switch (message.role) {
    case "system":
      return []
    case "user":
      return [{ role: "user", content: message.content }]
    case "tool":
      return [{
        role: "user",
        content: [{ type: "tool_result", tool_use_id: message.tool_call_id, content: message.content }]
      }]
    case "assistant": {
      const text = message.content === null ? [] : [{ type: "text" as const, text: message.content }]
      const calls = (message.tool_calls ?? []).map(({ function: details, id }) => ({
        type: "tool_use" as const,
        id,
        name: details.name,
        input: JSON.parse(details.arguments)
      }))
      return [{ role: "assistant", content: [...text, ...calls] }]
    }
  }
}

/** What the Anthropic SDK makes of the same turn. */
const askAnthropic = async (client: Anthropic, { history }: Turn): Promise<Answer> => {
  const { content, usage } = await client.messages.stream({
    model: "claude-sonnet-5-5",
    max_tokens: 4096,
    system: history.flatMap(({ content, role }) => role === "system" && content !== null ? [content] : []).join(""),
    messages: history.flatMap(anthropicMessage),
    tools: names.map((name) => ({ name, input_schema: { type: "object", additionalProperties: true } }))
  }).finalMessage()
  return {
    text: content.map((block) => block.type === "text" ? block.text : "").join(""),
    calls: content.flatMap((block) =>
      block.type === "tool_use" ? [{ id: block.id, name: block.name, params: block.input }] : []
    ),
    usage: { input: usage.input_tokens, output: usage.output_tokens }
  }
}

/** A provider of ours, and its vendor's own way to ask the same. The server speaks the protocols of all of them. */
const providers = [
  {
    name: "openai",
    layer: (url: string) =>
      Providers.OpenAi.layer({ model: "gpt-5", baseUrl: `${url}/v1` }).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: apiKey })))
      ),
    sdk: (url: string) => {
      const client = new OpenAI({ apiKey, baseURL: `${url}/v1`, maxRetries: 0 })
      return (turn: Turn) => askOpenAi(client, turn)
    }
  },
  {
    name: "anthropic",
    layer: (url: string) =>
      Providers.Anthropic.layer({ model: "claude-sonnet-5-5", baseUrl: url }).pipe(
        Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ ANTHROPIC_API_KEY: apiKey })))
      ),
    sdk: (url: string) => {
      const client = new Anthropic({ apiKey, baseURL: url, maxRetries: 0 })
      return (turn: Turn) => askAnthropic(client, turn)
    }
  }
]

type Asking = Effect.Effect<ReadonlyArray<Part>, unknown, LanguageModel.LanguageModel>
type Ask = (turn: Turn, answer: Asking) => Asking

/** Holds a conversation: says what the customer said, runs the tools, and has each turn of the model by `ask`. */
const hold = Effect.fnUntraced(function*({ id, messages }: Conversation, ask: Ask) {
  let position = 0
  let prompt = Prompt.empty
  // A tool call is the last thing in its message, and its result, if the conversation went on, the next message.
  const result = () => messages[position + 1]?.content ?? "the conversation ends here"
  const handlers = yield* toolkit.toHandlers(
    Object.fromEntries(names.map((name) => [name, () => Effect.sync(result)]))
  )
  for (const message of messages) {
    if (message.role === "system" || message.role === "user") {
      prompt = Prompt.concat(prompt, [{ role: message.role, content: message.content }])
    } else if (message.role === "assistant") {
      const turn = byKey.get(keyOf(messages.slice(0, position)))
      if (turn === undefined) throw new Error(`${id} has no turn at ${position}`)
      const stream = LanguageModel.streamText({ prompt, toolkit })
      const parts = yield* ask(turn, Effect.provideContext(Stream.runCollect(stream), handlers))
      deepStrictEqual(said(parts), told(turn))
      for (const part of parts) if (part.type === "tool-result") deepStrictEqual(part.result, result())
      prompt = Prompt.concat(prompt, Prompt.fromResponseParts(parts))
    }
    position++
  }
})

/** The states of the connections between us and the server, as the kernel sees them from both ends. */
const kernel = Effect.fnUntraced(function*(server: Child.Child) {
  const ours = (yield* NodeProbes.sockets(pid)).filter(({ remotePort }) => remotePort === server.port)
  const theirs = (yield* NodeProbes.sockets(server.pid)).filter(({ localPort, state }) =>
    localPort === server.port && state !== "LISTEN"
  )
  return { here: ours.map(({ state }) => state), there: theirs.map(({ state }) => state) }
})

/** What the server works on, and how often it was told to stop, by its own count. */
const working = (server: Child.Child) =>
  Effect.promise(async () => await server.ask("work") as { readonly inFlight: number; readonly aborted: number })

/** Waits, for a second at most, until registry and kernel agree that nothing but idle connections is left. */
const settled = Effect.fnUntraced(function*(server: Child.Child, when: string, mayKeep: number) {
  for (let tries = 0;; tries++) {
    const { connection = 0, ...others } = yield* SessionRegistry.counts
    const { here, there } = yield* kernel(server)
    const { inFlight } = yield* working(server)
    const agrees = [here, there].every((states) =>
      states.length === connection && states.every((state) => state === "ESTABLISHED")
    )
    if (agrees && inFlight === 0 && connection <= mayKeep && Object.keys(others).length === 0) {
      return yield* Console.log(
        `${when}: ${connection} connections in the registry, here and there; nothing else open, nothing in flight there`
      )
    }
    if (tries === 100) throw new Error(`${when}: ${JSON.stringify({ connection, others, here, there, inFlight })}`)
    yield* Effect.sleep("10 millis")
  }
})

/** Checks that the server's journal has each call, as often as it was made, billed as the caller was told. */
const compareJournal = (server: Child.Child, calls: ReadonlyArray<string>) =>
  Effect.promise(async () => {
    const journal = await server.ask("journal") as ReadonlyArray<{ key: string; status: number; usage: unknown }>
    for (const { key, status, usage } of journal) deepStrictEqual([status, usage], [200, byKey.get(key)?.usage])
    deepStrictEqual(journal.length, calls.length)
    deepStrictEqual(journal.map(({ key }) => key).toSorted(), calls.toSorted())
  })

const prove = Effect.fnUntraced(function*(provider: (typeof providers)[number]) {
  const server = yield* Effect.acquireRelease(
    Effect.promise(() => Child.start("aimockServer.ts", String(size), apiKey)),
    (server) => Effect.promise(server.stop)
  )
  const url = `http://127.0.0.1:${server.port}`
  const Model = provider.layer(url)
  const holdAll = (ask: Ask) =>
    Effect.forEach(all, (conversation) => Effect.provide(hold(conversation, ask), Model), {
      concurrency,
      discard: true
    })
  const ours = new Map<string, Answer>()
  const durations = new Map<string, number>()
  let interrupted = 0

  const withTransport = Effect.gen(function*() {
    const calls: Array<string> = []
    yield* holdAll((turn, answer) =>
      Effect.map(Effect.timed(answer), ([duration, parts]) => {
        durations.set(turn.key, Duration.toMillis(duration))
        calls.push(turn.key)
        ours.set(turn.key, said(parts))
        return parts
      })
    )
    yield* compareJournal(server, calls)
    yield* Console.log(
      `${provider.name}: ${all.length} conversations, ${calls.length} calls: every answer and every bill as told`
    )
    yield* settled(server, "after all calls", concurrency)

    yield* holdAll((turn, answer) =>
      Effect.gen(function*() {
        const isInterrupted = random() < 1 / 3
        if (isInterrupted) interrupted++
        // A call that is done before its moment comes was not interrupted, and is made again.
        for (let isDone = isInterrupted; isDone;) {
          const fiber = yield* Effect.forkChild(answer)
          yield* Effect.sleep(random() * (durations.get(turn.key) ?? 0))
          yield* Fiber.interrupt(fiber)
          const exit = yield* Fiber.await(fiber)
          isDone = Exit.isSuccess(exit)
          if (Exit.isFailure(exit)) deepStrictEqual(exit.cause.reasons.map(({ _tag }) => _tag), ["Interrupt"])
        }
        return yield* answer
      })
    )
    yield* Console.log(`again, ${interrupted} of ${calls.length} calls interrupted at random moments on the way`)
    yield* settled(server, "after the interruptions", concurrency)
    const { aborted } = yield* working(server)
    yield* Console.log(`the server was told to stop in the middle of ${aborted} of them`)
    // The others were cut before they were sent, or when all of the answer was under way already. Of a few, that may be most.
    if (aborted < (interrupted < 10 ? 1 : interrupted / 3)) throw new Error("the server hears of too few interruptions")
  })
  yield* Effect.provide(withTransport, NodeTransport.layer({ connections: concurrency }))
  yield* settled(server, "after the transport closed", 0)

  const ask = provider.sdk(url)
  yield* Effect.forEach(
    byKey.values(),
    (turn) => Effect.promise(async () => deepStrictEqual(await ask(turn), ours.get(turn.key))),
    { concurrency, discard: true }
  )
  yield* Console.log(`the ${provider.name} SDK, asked the same ${byKey.size} turns, says and counts the same`)
  return { provider: provider.name, interrupted }
})

const program = Effect.forEach(
  providers,
  (provider) => prove(provider).pipe(Effect.scoped, Effect.timeout("5 minutes"))
)
const results = await Effect.runPromise(program)
console.log(JSON.stringify({ name: "main", met: true, conversations: all.length, turns: byKey.size, results }))
