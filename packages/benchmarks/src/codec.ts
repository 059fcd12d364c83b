/**
 * What it costs to decode answers: streamed events, and whole answers, through our transport and protocol, over undici with
 * nothing but `JSON.parse`, and beside OpenAI's own SDK. The framing of events alone, beside Effect's.
 *
 * The figures are CPU time of the client. The server is a process of its own.
 */
import { Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { ChatEvent, type ChatRequest, OpenAiChat, type Protocol } from "@clawback/providers"
import { Cause, Effect, Result, type Scope } from "effect"
import * as Sse from "effect/encoding/Sse"
import { fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { parseArgs } from "node:util"
import OpenAI from "openai"
import { Pool } from "undici"
import { EventStream } from "../../providers/src/internal/framing/sse.ts"
import { interleave } from "./internal/measure.ts"
import { atMostTimes, conclude } from "./internal/report.ts"

const { values: { smoke } } = parseArgs({ options: { smoke: { type: "boolean", default: false } } })
const rounds = smoke ? { rounds: 2, warmUp: 1 } : { rounds: 41, warmUp: 10 }
const inFlight = 16
const events = smoke ? 50 : 500
const calls = smoke ? 4 : 20

const child = fork(join(import.meta.dirname, "internal/chatServer.ts"))
const [port] = await once(child, "message")
const origin = `http://127.0.0.1:${port}`

const { protocol } = OpenAiChat
const peer: Protocol.Peer = { provider: "openai", redact: (text) => text }
const request: ChatRequest.ChatRequest = {
  model: "gpt-5",
  messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "Why do sockets leak?" }],
  maxOutputTokens: 500
}
const headers = { authorization: "Bearer sk-nobody", "content-type": "application/json" }
const bodyOf = (stream: boolean) =>
  JSON.stringify(Result.getOrThrow(protocol.encodeRequest(request, { stream, includeUsage: stream })))

const execute = (path: string, stream: boolean) =>
  Effect.flatMap(
    Transport.Transport,
    (transport) => transport.execute({ method: "POST", url: origin + path, headers, body: bodyOf(stream) })
  )

const streamed = Effect.scoped(Effect.gen(function*() {
  const response = yield* execute(`/${events}`, true)
  const decoder = protocol.makeDecoder(peer)
  let found = 0
  const read: Effect.Effect<void, Transport.BodyError> = Effect.matchCauseEffect(response.body, {
    onSuccess: (chunks) => {
      for (const chunk of chunks) for (const event of decoder.push(chunk)) if (ChatEvent.isOutput(event)) found++
      return read
    },
    onFailure: (cause) => {
      const end = Cause.findErrorOption(cause)
      return end._tag === "Some" && !Cause.isDone(end.value) ? Effect.fail(end.value) : Effect.void
    }
  })
  yield* read
  if (decoder.failure !== undefined || found !== events + 1) throw new Error(`${found} events of ${events + 1}`)
}))

const typed = Effect.scoped(Effect.gen(function*() {
  const response = yield* execute("/", false)
  const { headers, status } = response
  const decoded = protocol.decodeResponse(peer, { status, headers, body: yield* Transport.text(response) })
  if (Result.getOrThrow(decoded).usage?.outputTokens !== 180) throw new Error("It was counted wrong")
}))

const pool = new Pool(origin, { connections: inFlight })
const raw = (path: string, stream: boolean) =>
  pool.request({ method: "POST", path, headers, body: JSON.stringify({ ...request, stream }) })

interface Chunk {
  readonly choices: ReadonlyArray<
    { readonly delta: { readonly content?: string }; readonly finish_reason: string | null }
  >
}

const streamedRaw = async () => {
  const { body } = await raw(`/${events}`, true)
  const decoder = new TextDecoder()
  let rest = ""
  let found = 0
  for await (const bytes of body) {
    const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n")
    rest = lines.pop() ?? ""
    for (const line of lines) {
      if (!line.startsWith("data: ") || line === "data: [DONE]") continue
      const chunk: Chunk = JSON.parse(line.slice(6))
      if (chunk.choices[0]?.delta.content !== undefined || chunk.choices[0]?.finish_reason != null) found++
    }
  }
  if (found !== events + 1) throw new Error(`${found} events of ${events + 1}`)
}

const typedRaw = async () => {
  const { body } = await raw("/", false)
  const answer = JSON.parse(await body.text()) as OpenAI.ChatCompletion
  if (answer.usage?.completion_tokens !== 180) throw new Error("It was counted wrong")
}

const sdk = (path: string) => new OpenAI({ apiKey: "sk-nobody", baseURL: origin + path, maxRetries: 0 })
const streaming = sdk(`/${events}`)
const whole = sdk("")
const asked: OpenAI.ChatCompletionCreateParamsNonStreaming = {
  model: "gpt-5",
  messages: [{ role: "user", content: "Why do sockets leak?" }]
}

const streamedSdk = async () => {
  let found = 0
  for await (const chunk of await streaming.chat.completions.create({ ...asked, stream: true })) {
    if (chunk.choices[0]?.delta.content !== undefined || chunk.choices[0]?.finish_reason != null) found++
  }
  if (found !== events + 1) throw new Error(`${found} events of ${events + 1}`)
}

const typedSdk = async () => {
  const answer = await whole.chat.completions.create(asked)
  if (answer.usage?.completion_tokens !== 180) throw new Error("It was counted wrong")
}

/** Nanoseconds of this process's processor per unit, with as many in flight at a time. */
const processor = <E, R>(
  times: number,
  units: number,
  one: Effect.Effect<unknown, E, R>
): Effect.Effect<number, E, R> =>
  Effect.suspend(() => {
    const before = process.cpuUsage()
    return Effect.map(
      Effect.all(Array.from({ length: times }, () => one), { concurrency: inFlight, discard: true }),
      () => {
        const { system, user } = process.cpuUsage(before)
        return (user + system) * 1_000 / (times * units)
      }
    )
  })

const promised = (one: () => Promise<void>) => Effect.promise(one)

const text = Array.from(
  { length: events },
  (_, index) =>
    `data: ${JSON.stringify({ id: "chatcmpl-1", choices: [{ index: 0, delta: { content: ` token${index}` } }] })}\n\n`
).join("")

const framing = (feed: (text: string) => unknown) =>
  Effect.sync(() => {
    const startedAt = performance.now()
    for (let time = 0; time < calls; time++) {
      for (let at = 0; at < text.length; at += 4_096) feed(text.slice(at, at + 4_096))
    }
    return (performance.now() - startedAt) * 1e6 / (calls * events)
  })

const measured: Effect.Effect<
  ReadonlyArray<ReturnType<typeof atMostTimes>>,
  unknown,
  Transport.Transport | Scope.Scope
> = Effect.gen(function*() {
  const stream = yield* interleave(rounds, {
    ours: processor(inFlight, events, streamed),
    raw: processor(inFlight, events, promised(streamedRaw)),
    sdk: processor(inFlight, events, promised(streamedSdk))
  })
  const call = yield* interleave(rounds, {
    ours: processor(inFlight * calls, 1, typed),
    raw: processor(inFlight * calls, 1, promised(typedRaw)),
    sdk: processor(inFlight * calls, 1, promised(typedSdk))
  })
  const frame = yield* interleave(rounds, {
    ours: Effect.suspend(() => {
      const stream = new EventStream(1e7, () => {})
      return framing((text) => stream.feed(text))
    }),
    effect: Effect.suspend(() => {
      const parser = Sse.makeParser(() => {})
      return framing((text) => parser.feed(text))
    })
  })
  const unit = "ns"
  return [
    // 0.7 times the events in the same time.
    atMostTimes(1 / 0.7, {
      name: "a decoded event, over undici and JSON.parse",
      unit,
      ours: stream.ours,
      peer: stream.raw
    }),
    atMostTimes(1 / 3, { name: "a decoded event, over the SDK of OpenAI", unit, ours: stream.ours, peer: stream.sdk }),
    atMostTimes(2.2, { name: "a typed call, over undici and JSON.parse", unit, ours: call.ours, peer: call.raw }),
    atMostTimes(0.5, { name: "a typed call, over the SDK of OpenAI", unit, ours: call.ours, peer: call.sdk }),
    atMostTimes(0.5, { name: "a framed event, over effect/encoding/Sse", unit, ours: frame.ours, peer: frame.effect })
  ]
})

const targets = await Effect.runPromise(
  Effect.scoped(Effect.provide(measured, NodeTransport.layer({ connections: inFlight })))
)
await pool.close()
child.disconnect()
conclude("codec", targets)
