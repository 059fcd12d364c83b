/** A model that talks for as long as it is read, in OpenAI's protocol. */
import { Behavior } from "@clawback/testing"

const chunk = {
  id: "chatcmpl-1",
  object: "chat.completion.chunk",
  model: "gpt-5",
  choices: [{ index: 0, delta: { content: "well " }, finish_reason: null }]
}

export const talking = (every: Parameters<typeof Behavior.delayed>[1]): Behavior.Behavior =>
  Behavior.sse([{ data: chunk }], { every, endless: true })
