/** A provider of both protocols. The prompt begins with the name of the behavior in brackets. */
import { AnthropicMessages, type ChatRequest, type ChatResponse, OpenAiChat, type Protocol } from "@clawback/providers"
import { Behavior, Dialect, type FaultyProvider, VendorErrors } from "@clawback/testing"
import { talking, talkingAnthropic } from "./talking.ts"

const text = "Because somebody forgot to close them. ".repeat(25)
const calling: ChatResponse.ChatResponse = {
  ...Dialect.answer(""),
  choices: [{
    content: [{ type: "tool-call", id: "call_1", name: "sockets", arguments: "{}" }],
    finish: { reason: "tool-calls", raw: "tool_calls" }
  }]
}

/** The same in both protocols. */
const faults = {
  reset: Behavior.reset,
  close: Behavior.close,
  stall: Behavior.stall,
  resetInBody: Behavior.cutAt(Behavior.huge(2_000), 500, "reset"),
  truncated: Behavior.cutAt(Behavior.huge(2_000), 500, "truncate"),
  malformedJson: Behavior.malformedJson(),
  malformedSse: Behavior.malformedSse,
  busyAtLength: Behavior.huge(300_000, { status: 503 }),
  noHttp: Behavior.raw("what?\r\n\r\n"),
  longHeader: Behavior.hugeHeader(40_000)
}

const protocol = (
  { encodeResponse }: Protocol.ChatProtocol,
  talks: typeof talking,
  busy: VendorErrors.VendorError,
  limited: VendorErrors.VendorError,
  refused: VendorErrors.VendorError
) => {
  const endless = talks("1 millis")
  return {
    ...faults,
    endless,
    resetInStream: Behavior.cutAt(endless, 1_000, "reset"),
    // Long enough to begin, and then nothing.
    silentInStream: Behavior.cutAt(endless, 1_000, "stall"),
    endsTooSoon: Behavior.cutAt(endless, 1_000, "end"),
    errorInStream: VendorErrors.inStream(busy),
    closing: Behavior.thenClose(Behavior.json(encodeResponse(Dialect.answer(text))), 0),
    busy: VendorErrors.behavior(busy),
    limited: VendorErrors.behavior(limited),
    refused: VendorErrors.behavior(refused)
  }
}

const vendorError = (name: string): VendorErrors.VendorError => {
  const found = VendorErrors.table.find((error) => error.name === name)
  if (found === undefined) throw new RangeError(`There is no vendor's error ${name}`)
  return found
}

const openAi = protocol(
  OpenAiChat.protocol,
  talking,
  vendorError("openai.slow_down"),
  vendorError("openai.rate_limit_exceeded"),
  vendorError("openai.invalid_api_key")
)
const anthropic = protocol(
  AnthropicMessages.protocol,
  talkingAnthropic,
  vendorError("anthropic.overloaded_error"),
  vendorError("anthropic.rate_limit_error"),
  vendorError("anthropic.authentication_error")
)

export type Wanted = keyof typeof openAi | "text" | "object" | "call"

const wantedOf = (body: string): string => /\[(\w+)\]/.exec(body)?.[1] ?? ""

const say = (_: ChatRequest.ChatRequest, { body, url }: FaultyProvider.Received): Dialect.Said => {
  const wanted = wantedOf(body)
  if (wanted === "text") return text
  if (wanted === "object") return JSON.stringify({ text })
  if (wanted === "call") return calling
  const behaviors: Readonly<Record<string, Behavior.Behavior>> = url.endsWith("/messages") ? anthropic : openAi
  const found = behaviors[wanted]
  if (found === undefined) throw new RangeError(`Nobody knows how to do ${wanted}`)
  return found
}

export default Dialect.handler({ say, pieceSize: 48 })
