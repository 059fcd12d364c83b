/** How the time that decoding takes grows with what is decoded, for input that is made to be slow. */
import type { Codec } from "@clawback/providers"
import { cpuUsage } from "node:process"

const peer: Codec.Peer = { provider: "provider", redact: (text) => text }
const utf8 = (text: string) => new TextEncoder().encode(text)

type Decode = (codec: Codec.Codec) => unknown

const stream = (text: string, size: number): Decode => {
  const bytes = utf8(text)
  return (codec) => {
    const decoder = codec.makeDecoder(peer)
    for (let at = 0; at < bytes.length; at += size) decoder.push(bytes.subarray(at, at + size))
    return decoder.end()
  }
}

const whole = (body: string): Decode => (codec) => codec.decodeResponse(peer, { status: 200, headers: {}, body })

const calls = (length: number) =>
  Array.from({ length }, (_, index) => ({ index: 0, id: `call_${index}`, function: { name: "f", arguments: "{}" } }))

const choice = (delta: object, index = 0) => `data: ${JSON.stringify({ choices: [{ index, delta }] })}\n\n`

/** Each makes an input of about `size` times the same. */
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
  "nesting": (size) => whole(`${"[".repeat(size * 10)}${"]".repeat(size * 10)}`)
}

/** Of the processor, in microseconds: other work on the machine takes none of it. */
const once = (codec: Codec.Codec, decode: Decode): number => {
  const before = cpuUsage()
  decode(codec)
  return cpuUsage(before).user
}

const least = (codec: Codec.Codec, decode: Decode): number =>
  Math.min(...Array.from({ length: 5 }, () => once(codec, decode)))

export const factor = 8
const size = 2_000

export interface Growth {
  readonly name: string
  /** The time for `factor` times the input, over the time for it. */
  readonly ratio: number
}

export const growth = (codec: Codec.Codec): ReadonlyArray<Growth> =>
  Object.entries(shapes).map(([name, make]) => {
    const one = make(size)
    const many = make(factor * size)
    least(codec, one)
    return { name, ratio: least(codec, many) / Math.max(1, least(codec, one)) }
  })
