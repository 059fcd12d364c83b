/** How the time of decoding grows with the size of the input, for input that is slow to decode. */
import type { Protocol } from "@clawback/providers"
import { threadCpuUsage } from "node:process"
import { httpRequest } from "./httpRequest.ts"

const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }
const utf8 = (text: string) => new TextEncoder().encode(text)

type Decode = (protocol: Protocol.ChatProtocol) => unknown

const stream = (text: string, size: number): Decode => {
  const bytes = utf8(text)
  return (protocol) => {
    const decoder = protocol.makeDecoder(peer)
    for (let at = 0; at < bytes.length; at += size) decoder.push(bytes.subarray(at, at + size))
    return decoder.end()
  }
}

const whole = (body: string): Decode => (protocol) => protocol.decodeResponse(peer, { status: 200, headers: {}, body })

const calls = (length: number) =>
  Array.from({ length }, (_, index) => ({ index: 0, id: `call_${index}`, function: { name: "f", arguments: "{}" } }))

const choice = (delta: object, index = 0) => `data: ${JSON.stringify({ choices: [{ index, delta }] })}\n\n`

const event = (fields: { readonly type: string }) => `event: ${fields.type}\ndata: ${JSON.stringify(fields)}\n\n`
const started = event({ type: "message_start", message: { usage: {} } } as { type: string })
const begins = (index: number, content_block: object) =>
  event({ type: "content_block_start", index, content_block } as { type: string })
const piece = event({
  type: "content_block_delta",
  index: 0,
  delta: { type: "input_json_delta", partial_json: "1" }
} as { type: string })
const results = (length: number) =>
  Array.from({ length }, (_, index) => [
    { type: "tool_result", tool_use_id: `call_${index}`, content: "1" },
    { type: "text", text: "x" }
  ]).flat()

/** Each makes an input that repeats itself about `size` times. */
const shapes: Readonly<Record<string, (size: number) => Decode>> = {
  "line ends": (size) => stream("\n".repeat(size * 40), 65_536),
  "carriage returns": (size) => stream("\r".repeat(size * 40), 65_536),
  "both": (size) => stream("\r\n\r".repeat(size * 20), 65_536),
  "one line, byte by byte": (size) => stream(`data: ${"x".repeat(size * 10)}`, 1),
  "lines of data of one event": (size) => stream("data: x\n".repeat(size * 10), 4_096),
  "bytes that are not UTF-8": (size) => stream("data: x\n".repeat(size * 10) + "\uFFFD", 65_536),
  "calls": (size) => stream(calls(size).map((call) => choice({ tool_calls: [call] })).join(""), 4_096),
  "answers": (size) =>
    stream(Array.from({ length: size }, (_, index) => choice({ content: "x" }, index)).join(""), 4_096),
  "unknown fields": (size) =>
    whole(JSON.stringify({
      choices: [{ message: Object.fromEntries(calls(size).map(({ id }) => [id, 1])), finish_reason: "stop" }]
    })),
  "calls of one answer": (size) =>
    whole(JSON.stringify({ choices: [{ message: { tool_calls: calls(size) }, finish_reason: "tool_calls" }] })),
  "blocks": (size) =>
    stream(started + Array.from({ length: size }, (_, index) => begins(index, { type: "x" })).join(""), 4_096),
  "pieces of a call": (size) =>
    stream(started + begins(0, { type: "tool_use", id: "call_1", name: "f", input: {} }) + piece.repeat(size), 4_096),
  "pieces of a block that only one protocol knows": (size) =>
    stream(started + begins(0, { type: "server_tool_use", input: {} }) + piece.repeat(size), 4_096),
  "blocks of one answer": (size) =>
    whole(
      JSON.stringify({
        content: Array.from({ length: size }, () => ({ type: "text", text: "x" })),
        stop_reason: "end_turn"
      })
    ),
  "results in one message": (size) => (protocol) =>
    protocol.decodeRequest(httpRequest(JSON.stringify({
      model: "m",
      max_tokens: 1,
      messages: [{ role: "user", content: results(size) }]
    }))),
  "messages of one turn": (size) => (protocol) =>
    protocol.encodeRequest(
      { model: "m", messages: Array.from({ length: size }, () => ({ role: "user", content: "x" })) },
      { stream: true, includeUsage: true }
    ),
  "nesting": (size) => whole(`${"[".repeat(size * 10)}${"]".repeat(size * 10)}`)
}

/** Milliseconds of the processor that this thread took: other work on the machine, and other threads, take none of it. */
const timesTaking = (protocol: Protocol.ChatProtocol, decode: Decode, times: number): number => {
  const before = threadCpuUsage()
  for (let time = 0; time < times; time++) decode(protocol)
  // Only their sum is measured; which of it was whose, the kernel estimates.
  const { system, user } = threadCpuUsage(before)
  return (user + system) / 1_000
}

const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? NaN

const factor = 8
const size = 2_000
/** A collection of garbage takes some milliseconds, and must not be what is measured. */
const enough = 20
/** Each is measured in turn with the other, so that what slows the machine for a while slows both. */
const rounds = 9

export interface Growth {
  readonly name: string
  /** The time for one input, over the time for the same amount in eight: the median of several measurements. */
  readonly ratio: number
}

export const growth = (protocol: Protocol.ChatProtocol): ReadonlyArray<Growth> =>
  Object.entries(shapes).map(([name, make]) => {
    const small = make(size)
    const large = make(factor * size)
    let times = 1
    while (timesTaking(protocol, large, times) < enough) times *= 2
    const ratios = Array.from(
      { length: rounds },
      () => timesTaking(protocol, large, times) / timesTaking(protocol, small, times * factor)
    )
    return { name, ratio: median(ratios) }
  })
