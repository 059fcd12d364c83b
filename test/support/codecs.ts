/** The guarantees of every protocol: the tests run few cases, the proof many. */
import { AnthropicMessages, type ChatRequest, ChatResponse, OpenAiChat, type Protocol } from "@clawback/providers"
import { Option, Result } from "effect"
import * as fc from "fast-check"
import { deepStrictEqual } from "node:assert/strict"
import { cpuUsage } from "node:process"
import { chatRequest, meaning } from "./chatRequests.ts"
import { conversations, type WireMessage } from "./conversations.ts"
import { httpRequest } from "./httpRequest.ts"
import { seeded } from "./random.ts"

export const codecs: ReadonlyArray<Protocol.ChatProtocol> = [OpenAiChat.protocol, AnthropicMessages.protocol]

const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }
const delivery: Protocol.Delivery = { stream: true, includeUsage: true }
const received = (body: string, status = 200): Protocol.HttpResponse => ({
  status,
  headers: { "content-type": "application/json", "retry-after": "7" },
  body
})

const assertRoundTrip = (protocol: Protocol.ChatProtocol, request: ChatRequest.ChatRequest) => {
  const body = JSON.stringify(Result.getOrThrow(protocol.encodeRequest(request, delivery)))
  const decoded = Result.getOrThrow(protocol.decodeRequest(httpRequest(body)))
  deepStrictEqual(meaning(decoded.request), meaning(request))
  deepStrictEqual(decoded.delivery, delivery)
  // What it once understood stays as it is.
  const again = JSON.stringify(Result.getOrThrow(protocol.encodeRequest(decoded.request, delivery)))
  deepStrictEqual(Result.getOrThrow(protocol.decodeRequest(httpRequest(again))), decoded)
}

const fromWire = (message: WireMessage): ChatRequest.Message => {
  switch (message.role) {
    case "tool":
      return { role: "tool", toolCallId: message.tool_call_id, content: message.content }
    case "assistant":
      return {
        role: "assistant",
        content: [
          ...(message.content === null ? [] : [{ type: "text" as const, text: message.content }]),
          ...(message.tool_calls ?? []).map((call) => ({
            type: "tool-call" as const,
            id: call.id,
            name: call.function.name,
            arguments: call.function.arguments
          }))
        ]
      }
    default:
      return message
  }
}

/** Runs the recorded conversations. Returns their number. */
export const recordedRoundTrips = (protocol: Protocol.ChatProtocol): number => {
  const all = conversations()
  for (const { messages } of all) {
    assertRoundTrip(protocol, { model: "model-1", maxOutputTokens: 100, messages: messages.map(fromWire) })
  }
  return all.length
}

/** Conversations made up by a seed. */
export const generatedRoundTrips = (protocol: Protocol.ChatProtocol, runs: number, seed: number): number => {
  fc.assert(fc.property(chatRequest, (request) => assertRoundTrip(protocol, request)), { numRuns: runs, seed })
  return runs
}

const utf8 = (text: string) => new TextEncoder().encode(text)

const textOf = (written: string | Uint8Array): string =>
  typeof written === "string" ? written : new TextDecoder().decode(written)

/** Answers as this protocol has them: in one piece, as a stream, and errors. */
const corpus = (protocol: Protocol.ChatProtocol): ReadonlyArray<string> => {
  const usage = {
    inputTokens: 7,
    cachedInputTokens: 3,
    cacheWriteTokens: 1,
    outputTokens: 9,
    reasoningTokens: 2,
    raw: {}
  }
  const responses = fc.sample(chatRequest, { numRuns: 40, seed: 7 }).flatMap(({ messages }) =>
    messages.flatMap((message): Array<ChatResponse.ChatResponse> =>
      message.role === "assistant" && typeof message.content !== "string"
        ? [{
          id: "answer-1",
          model: "model-1",
          choices: [{ content: message.content, finish: { reason: "stop", raw: "stop" } }],
          usage
        }]
        : []
    )
  )
  return responses.flatMap((response) => {
    const encoder = protocol.makeEncoder(delivery)
    return [
      JSON.stringify(protocol.encodeResponse(response)),
      textOf(encoder.push(ChatResponse.toEvents(response))) + textOf(encoder.end())
    ]
  }).concat(
    JSON.stringify({ error: { message: "Oops", type: "server_error", code: "slow_down" } }),
    JSON.stringify({ type: "error", error: { type: "overloaded_error", message: "Oops" } })
  )
}

/** A field or an item of a JSON value becomes something else. */
const mutateJson = (value: unknown, random: () => number, depth = 0): unknown => {
  const others = [null, true, -1, 1e308, "", "x", [], {}, [null], { a: 1 }, 7.5, "data: [DONE]\n\n"]
  if (random() < 0.15 + depth * 0.05 || typeof value !== "object" || value === null) {
    return others[Math.floor(random() * others.length)]
  }
  const entries = Object.entries(value)
  const at = Math.floor(random() * entries.length)
  const [key] = entries[at] ?? []
  if (key === undefined) return others[Math.floor(random() * others.length)]
  const mutated = entries.flatMap(([name, field]): Array<[string, unknown]> =>
    name !== key
      ? [[name, field]]
      : random() < 0.15
      ? []
      : random() < 0.1
      ? [["__proto__", field]]
      : [[name, mutateJson(field, random, depth + 1)]]
  )
  return Array.isArray(value) ? mutated.map(([, field]) => field) : Object.fromEntries(mutated)
}

const mutateLine = (line: string, random: () => number): string => {
  const prefix = /^data: ?/.exec(line)?.[0] ?? ""
  try {
    return prefix + JSON.stringify(mutateJson(JSON.parse(line.slice(prefix.length)), random))
  } catch {
    return line
  }
}

const mutateBytes = (bytes: Uint8Array, random: () => number): Uint8Array => {
  const at = Math.floor(random() * bytes.length)
  const to = at + Math.floor(random() * 40)
  const kind = random()
  if (kind < 0.3) return bytes.map((byte, index) => index === at ? Math.floor(random() * 256) : byte)
  if (kind < 0.5) return bytes.slice(0, at)
  // A piece is missing, or there twice.
  return Uint8Array.from(
    kind < 0.7 ? [...bytes.slice(0, at), ...bytes.slice(to)] : [...bytes.slice(0, to), ...bytes.slice(at)]
  )
}

/** One response that was never sent: whole answers, streams and errors with mistakes in them, and noise. */
const mutant = (all: ReadonlyArray<string>, random: () => number): Uint8Array => {
  if (random() < 0.05) return Uint8Array.from({ length: Math.floor(random() * 300) }, () => Math.floor(random() * 256))
  const text = all[Math.floor(random() * all.length)] ?? ""
  const lines = text.split("\n")
  const changed = lines.map((line) => random() < 2 / lines.length ? mutateLine(line, random) : line)
  if (random() < 0.1) changed.sort(() => random() - 0.5)
  let bytes: Uint8Array = utf8(changed.join("\n"))
  for (let rest = random(); rest < 0.4; rest += 0.2) bytes = mutateBytes(bytes, random)
  return bytes
}

const cut = (bytes: Uint8Array, random: () => number): ReadonlyArray<Uint8Array> => {
  const chunks: Array<Uint8Array> = []
  const size = 1 + Math.floor(random() * bytes.length)
  for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size))
  return chunks
}

const nothing = utf8("data: {}\n\n")

/** The same stream with an event that says nothing after each, so that none repeats the one before, and each is parsed. */
const spreadOut = (bytes: Uint8Array): Uint8Array => {
  const spread: Array<number> = []
  for (const [index, byte] of bytes.entries()) {
    spread.push(byte)
    if (byte === 10 && bytes[index - 1] === 10) spread.push(...nothing)
  }
  return Uint8Array.from(spread)
}

export interface Fuzzed {
  readonly responses: number
  readonly values: number
  readonly errors: Readonly<Record<string, number>>
  /** The most of the processor's time that one response took. */
  readonly slowestMillis: number
}

/**
 * Responses that no server should send. Each must come to a value, which can be said again, or to a typed error, and a
 * stream must come to the same wherever it is cut, and whether or not each event is parsed. Whatever is thrown is a defect,
 * and goes on.
 */
export const fuzz = (protocol: Protocol.ChatProtocol, runs: number, seed: number): Fuzzed => {
  const random = seeded(seed)
  const all = corpus(protocol)
  const errors: Record<string, number> = {}
  let values = 0
  let slowestMillis = 0
  const failed = (error: { readonly _tag: string }) => errors[error._tag] = (errors[error._tag] ?? 0) + 1

  for (let run = 0; run < runs; run++) {
    const bytes = mutant(all, random)
    const text = new TextDecoder().decode(bytes)
    const chunks = cut(bytes, random)
    const before = cpuUsage()

    const whole = protocol.decodeResponse(peer, received(text))
    if (Result.isSuccess(whole)) {
      values++
      JSON.stringify(protocol.encodeResponse(whole.success))
    } else failed(whole.failure)

    const decoder = protocol.makeDecoder(peer)
    const events = chunks.flatMap((chunk) => decoder.push(chunk)).concat(decoder.end())
    if (decoder.failure === undefined) {
      values++
      deepStrictEqual(decoder.isDone, true)
      deepStrictEqual(Option.isSome(ChatResponse.fromEvents(events)), true)
    } else failed(decoder.failure)
    protocol.makeEncoder(delivery).push(events)

    failed(protocol.classify(peer, received(text, 400 + run % 200)))
    protocol.limits(received(text, 429))
    const request = protocol.decodeRequest(httpRequest(text))
    if (Result.isSuccess(request)) protocol.encodeRequest(request.success.request, request.success.delivery)
    slowestMillis = Math.max(slowestMillis, cpuUsage(before).user / 1_000)

    const once = protocol.makeDecoder(peer)
    const same = [...once.push(bytes), ...once.end()]
    deepStrictEqual(JSON.stringify(same), JSON.stringify(events))
    deepStrictEqual(once.failure?._tag, decoder.failure?._tag)

    const parsing = protocol.makeDecoder(peer)
    const parsed = [...parsing.push(spreadOut(bytes)), ...parsing.end()]
    deepStrictEqual(JSON.stringify(parsed), JSON.stringify(events))
    deepStrictEqual(parsing.failure?._tag, decoder.failure?._tag)
  }
  return { responses: runs, values, errors, slowestMillis }
}
