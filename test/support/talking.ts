/** A model that generates as long as it is read, in each protocol. */
import { Behavior } from "@clawback/testing"

type Pause = Parameters<typeof Behavior.delayed>[1]

const chunk = {
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  model: "gpt-5",
  choices: [{ index: 0, delta: { content: "well " }, finish_reason: null }]
}

/** OpenAI's. */
export const talking = (every: Pause): Behavior.Behavior => Behavior.sse([{ data: chunk }], { every, endless: true })

const event = (data: { readonly type: string; readonly [field: string]: unknown }): Behavior.SseEvent => ({
  event: data.type,
  data
})

const message = {
  id: "msg_1",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5-5",
  content: [],
  stop_reason: null,
  stop_sequence: null,
  usage: { input_tokens: 5, output_tokens: 1 }
}
const opening = Behavior.sse([
  event({ type: "message_start", message }),
  event({ type: "content_block_start", index: 0, content_block: { type: "text", text: "" } })
])
const piece = event({ type: "content_block_delta", index: 0, delta: { type: "text_delta", text: "well " } })

/** Anthropic's. */
export const talkingAnthropic = (every: Pause): Behavior.Behavior => {
  const { steps } = Behavior.sse([piece], { every, endless: true })
  return { ...opening, steps: opening.steps.concat(steps.filter(({ _tag }) => _tag !== "Head")) }
}

/** The one of `ownProtocol.ts`. */
export const talkingOwn = (everyMillis: number): Behavior.Behavior =>
  Behavior.script("lines", [
    { _tag: "Head", status: 200, headers: { "content-type": "application/x-ndjson" } },
    {
      _tag: "Repeat",
      steps: [{ _tag: "Body", source: { text: "{\"say\":\"well \"}\n" } }, { _tag: "Wait", millis: everyMillis }]
    }
  ])
