/** Anthropic's answers as they stand on the wire. */
import type Anthropic from "@anthropic-ai/sdk"

type Block = Partial<Omit<Anthropic.ContentBlock, "type">> & { readonly type: string }

export const event = (fields: { readonly type: string }): string =>
  `event: ${fields.type}\ndata: ${JSON.stringify(fields)}\n\n`

export const ping = event({ type: "ping" })

/** As the API counts before it has said anything. */
export const counted = {
  input_tokens: 25,
  cache_creation_input_tokens: 7,
  cache_read_input_tokens: 11,
  output_tokens: 1
}

export const starts = (usage: object = counted, fields: object = {}): string =>
  event({
    type: "message_start",
    message: {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model: "claude-sonnet-4-5-20250929",
      content: [],
      stop_reason: null,
      stop_sequence: null,
      usage,
      ...fields
    }
  } as { type: string })

export const begins = (index: number, content_block: Block | object): string =>
  event({ type: "content_block_start", index, content_block } as { type: string })
export const delta = (index: number, delta: object): string =>
  event({ type: "content_block_delta", index, delta } as { type: string })
export const ends = (index: number): string => event({ type: "content_block_stop", index } as { type: string })

export const text = (index: number, ...pieces: ReadonlyArray<string>): string =>
  begins(index, { type: "text", text: "" }) + pieces.map((text) =>
    delta(index, { type: "text_delta", text })
  ).join("") +
  ends(index)

export const thinking = (index: number, signature: string, ...pieces: ReadonlyArray<string>): string =>
  begins(index, { type: "thinking", thinking: "", signature: "" }) +
  pieces.map((thinking) => delta(index, { type: "thinking_delta", thinking })).join("") +
  (signature === "" ? "" : delta(index, { type: "signature_delta", signature })) + ends(index)

export const redacted = (index: number, data: string): string =>
  begins(index, { type: "redacted_thinking", data }) + ends(index)

export const call = (index: number, id: string, name: string, ...pieces: ReadonlyArray<string>): string =>
  begins(index, { type: "tool_use", id, name, input: {} }) +
  pieces.map((partial_json) => delta(index, { type: "input_json_delta", partial_json })).join("") + ends(index)

export const whole = (index: number, block: object): string => begins(index, block) + ends(index)

export const stops = (stop_reason: string | null, usage: object = { output_tokens: 15 }, fields: object = {}): string =>
  event(
    { type: "message_delta", delta: { stop_reason, stop_sequence: null, ...fields }, usage } as { type: string }
  )
export const stop = event({ type: "message_stop" })

export const errors = (type: string, message: string): string =>
  event({ type: "error", error: { type, message }, request_id: "req_1" } as { type: string })

export const search = {
  type: "web_search_tool_result",
  tool_use_id: "srvtoolu_1",
  content: [{
    type: "web_search_result",
    url: "https://example.test/weather",
    title: "Weather",
    encrypted_content: "RW5jcnlwdGVk",
    page_age: null
  }]
}

export const citation = {
  type: "char_location",
  cited_text: "It rains.",
  document_index: 0,
  document_title: "Report",
  start_char_index: 0,
  end_char_index: 9,
  file_id: null
}
