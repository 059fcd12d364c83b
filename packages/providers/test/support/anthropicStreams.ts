/** Streams as Anthropic's API and its like send them, by what is special about each. */
import {
  begins,
  call,
  citation,
  counted,
  delta,
  ends,
  event,
  ping,
  redacted,
  search,
  starts,
  stop,
  stops,
  text,
  thinking,
  whole
} from "./anthropicWire.ts"

const said = text(0, "It ", "rains", ".")
const done = stops("end_turn") + stop

const blocks: ReadonlyArray<readonly [string, string, reason?: string]> = [
  ["a text", said],
  ["a text in one piece", text(0, "It rains.")],
  ["a text in many pieces", text(0, ..."It rains in Bergen.")],
  ["no block", ""],
  ["an empty text", text(0)],
  [
    "a text that begins with its first words",
    begins(0, { type: "text", text: "It " }) + delta(0, { type: "text_delta", text: "rains" }) + ends(0)
  ],
  ["several texts", text(0, "It ") + text(1, "rains") + text(2, ".")],
  ["texts of other alphabets", text(0, "雨が", "降る", " 🌧️", " ‎שלום")],
  ["a text with line breaks and quotes", text(0, "a\nb\r\n\"c\"\\d\u2028e")],
  ["a text with a lone surrogate", text(0, "a\ud83d")],
  ["thinking", thinking(0, "c2ln", "Let me ", "see.") + text(1, "Yes.")],
  ["thinking that is not shown", thinking(0, "c2ln") + text(1, "Yes.")],
  ["thinking without a signature", thinking(0, "", "Hm.") + text(1, "Yes.")],
  [
    "thinking that begins with its signature",
    begins(0, { type: "thinking", thinking: "Hm.", signature: "c2ln" }) + ends(0)
  ],
  [
    "thinking signed twice",
    begins(0, { type: "thinking", thinking: "", signature: "" }) +
    delta(0, { type: "signature_delta", signature: "b25l" }) +
    delta(0, { type: "signature_delta", signature: "dHdv" }) + ends(0)
  ],
  ["several thoughts", thinking(0, "b25l", "One.") + thinking(1, "dHdv", "Two.") + text(2, "Three.")],
  ["redacted thinking", redacted(0, "ZGF0YQ==") + text(1, "Yes.")],
  [
    "thinking and redacted thinking by turns",
    thinking(0, "b25l", "One.") + redacted(1, "ZGF0YQ==") + thinking(2, "dHdv", "Two.")
  ],
  [
    "thinking between tool calls",
    thinking(0, "b25l", "One.") + call(1, "toolu_1", "a", "{}") + thinking(2, "dHdv", "Two.") +
    call(3, "toolu_2", "b", "{}"),
    "tool_use"
  ],
  ["a tool call", call(0, "toolu_1", "weather", "", "{\"ci", "ty\": \"Ber", "gen\"}"), "tool_use"],
  [
    "a tool call after a text",
    text(0, "Let me look.") + call(1, "toolu_1", "weather", "{\"city\":\"Bergen\"}"),
    "tool_use"
  ],
  ["a tool call without input", call(0, "toolu_1", "clock"), "tool_use"],
  ["a tool call with an empty piece only", call(0, "toolu_1", "clock", ""), "tool_use"],
  [
    "a tool call with all its input at the start",
    whole(0, { type: "tool_use", id: "toolu_1", name: "weather", input: { city: "Bergen" } }),
    "tool_use"
  ],
  [
    "a tool call letter by letter",
    call(0, "toolu_1", "weather", ..."{\"city\": \"Bergen\", \"days\": [1, 2]}"),
    "tool_use"
  ],
  [
    "parallel tool calls",
    [1, 2, 3].map((n) => call(n - 1, `toolu_${n}`, "weather", "{\"n\":", `${n}}`)).join(""),
    "tool_use"
  ],
  [
    "two calls of one tool with the same input",
    call(0, "toolu_1", "roll", "{}") + call(1, "toolu_2", "roll", "{}"),
    "tool_use"
  ],
  [
    "a call made by the model itself",
    whole(0, { type: "tool_use", id: "toolu_1", name: "clock", input: {}, caller: { type: "direct" } }),
    "tool_use"
  ],
  [
    "a call made by code",
    whole(0, {
      type: "tool_use",
      id: "toolu_1",
      name: "clock",
      input: {},
      caller: { type: "code_execution_20250825", tool_id: "srvtoolu_1" }
    }),
    "tool_use"
  ],
  [
    "a call of a toolset's member",
    whole(0, { type: "tool_use", id: "toolu_1", name: "screenshot", input: {}, toolset_name: "browser" }),
    "tool_use"
  ],
  [
    "blocks that overlap",
    begins(0, { type: "text", text: "" }) + delta(0, { type: "text_delta", text: "Hm." }) +
    begins(1, { type: "tool_use", id: "toolu_1", name: "a", input: {} }) +
    delta(1, { type: "input_json_delta", partial_json: "{\"x\":" }) +
    delta(1, { type: "input_json_delta", partial_json: "1}" }) + ends(0) + ends(1),
    "tool_use"
  ],
  [
    "a search by the provider",
    whole(0, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "weather" } }) +
    whole(1, search) + text(2, "It rains.")
  ],
  [
    "a search whose query streams",
    begins(0, { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: {} }) +
    delta(0, { type: "input_json_delta", partial_json: "{\"query\":" }) +
    delta(0, { type: "input_json_delta", partial_json: "\"weather\"}" }) + ends(0) + whole(1, search)
  ],
  [
    "a search that failed",
    whole(0, { ...search, content: { type: "web_search_tool_result_error", error_code: "unavailable" } })
  ],
  [
    "code that the provider ran",
    whole(0, {
      type: "bash_code_execution_tool_result",
      tool_use_id: "srvtoolu_1",
      content: { type: "bash_code_execution_result", stdout: "1\n", stderr: "", return_code: 0, content: [] }
    }) + text(1, "One.")
  ],
  ["a container upload", whole(0, { type: "container_upload", file_id: "file_1" }) + text(1, "Done.")],
  ["a kind of block that is new", whole(0, { type: "hologram", depth: 3 }) + text(1, "Look.")],
  [
    "citations",
    begins(0, { type: "text", text: "", citations: [] }) + delta(0, { type: "text_delta", text: "It rains." }) +
    delta(0, { type: "citations_delta", citation }) +
    delta(0, { type: "citations_delta", citation: { ...citation, document_index: 1 } }) + ends(0)
  ],
  [
    "a kind of delta that is new",
    begins(0, { type: "text", text: "" }) + delta(0, { type: "hologram_delta", depth: 3 }) +
    delta(0, { type: "text_delta", text: "Look." }) + ends(0)
  ]
]

const heads: ReadonlyArray<readonly [string, string]> = [
  ["without a cache", starts({ input_tokens: 25, output_tokens: 1 }) + said + done],
  [
    "with a cache that is null",
    starts({ input_tokens: 25, cache_creation_input_tokens: null, cache_read_input_tokens: null, output_tokens: 1 }) +
    said + done
  ],
  [
    "with a cache that has all of it",
    starts({ input_tokens: 0, cache_creation_input_tokens: 0, cache_read_input_tokens: 500, output_tokens: 1 }) + said +
    done
  ],
  [
    "with counts that come last",
    starts({ input_tokens: 0, output_tokens: 0 }) + said +
    stops("end_turn", {
      input_tokens: 40,
      cache_creation_input_tokens: 2,
      cache_read_input_tokens: 3,
      output_tokens: 9
    }) + stop
  ],
  [
    "with counts that grow",
    starts() + said + stops(null, { output_tokens: 5 }) + stops("end_turn", { output_tokens: 9 }) + stop
  ],
  [
    "with counts that are null at the end",
    starts() + said +
    stops("end_turn", {
      input_tokens: null,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: null,
      output_tokens: 9,
      server_tool_use: null
    }) + stop
  ],
  [
    "with thinking counted",
    starts() + said + stops("end_turn", { output_tokens: 90, output_tokens_details: { thinking_tokens: 70 } }) + stop
  ],
  [
    "with nothing said and nothing counted",
    starts({ input_tokens: 25, output_tokens: 0 }) + stops("end_turn", { output_tokens: 0 }) + stop
  ],
  [
    "with what the newest version of the API adds",
    starts({
      ...counted,
      cache_creation: { ephemeral_5m_input_tokens: 7, ephemeral_1h_input_tokens: 0 },
      inference_geo: "eu",
      output_tokens_details: null,
      server_tool_use: null,
      service_tier: "standard",
      speed: "standard"
    }, { container: null, diagnostics: null, stop_details: null }) + said +
    stops("end_turn", { output_tokens: 15 }, { container: null, stop_details: null }) + stop
  ],
  ["without an id", starts(counted, { id: undefined }) + said + done],
  ["of another model", starts(counted, { model: "claude-haiku-4-5" }) + said + done]
]

const tails: ReadonlyArray<readonly [string, string]> = [
  ...["end_turn", "max_tokens", "tool_use", "pause_turn", "model_context_window_exceeded", "some_new_reason"].map((
    reason
  ) => [`that stops with ${reason}`, starts() + said + stops(reason) + stop] as const),
  [
    "that stops at a stop sequence",
    starts() + said + stops("stop_sequence", undefined, { stop_sequence: "END" }) + stop
  ],
  [
    "that stops at an empty stop sequence",
    starts() + said + stops("stop_sequence", undefined, { stop_sequence: "" }) + stop
  ],
  [
    "that is refused",
    starts() + said +
    stops("refusal", undefined, { stop_details: { type: "refusal", category: "cyber", explanation: "No." } }) + stop
  ],
  [
    "that left its last block open",
    starts() + begins(0, { type: "text", text: "" }) + delta(0, { type: "text_delta", text: "It rains." }) +
    stops("end_turn") + stop
  ]
]

const answer = starts() + thinking(0, "c2ln", "Hm.") + text(1, "Grüße", " 🌧️") +
  call(2, "toolu_1", "weather", "{\"city\":", "\"Bergen\"}") +
  stops("tool_use") + stop

const framings: ReadonlyArray<readonly [string, string]> = [
  ["with CRLF", answer.replaceAll("\n", "\r\n")],
  ["with CR", answer.replaceAll("\n", "\r")],
  ["with a byte order mark", "\ufeff" + answer],
  ["with comments", answer.replaceAll("event: ", ": keep-alive\nevent: ")],
  ["with comments between events", answer.replaceAll("\n\n", "\n\n: keep-alive\n\n")],
  ["with ids", answer.replaceAll("event: ", "id: 7\nevent: ")],
  ["without a space after the colon", answer.replaceAll("event: ", "event:").replaceAll("data: ", "data:")],
  ["with the data before the event's name", answer.replaceAll(/event: (\S+)\ndata: (.*)\n/g, "data: $2\nevent: $1\n")],
  ["with data on several lines", answer.replaceAll("\"index\":", "\ndata: \"index\":")],
  ["with pings", answer.replaceAll("event: content_block_delta", `${ping}event: content_block_delta`)],
  ["with a ping first", ping + answer],
  ["with a ping last", answer + ping],
  ["with empty lines first", "\n\n\n" + answer],
  [
    "with events that are new",
    answer.replaceAll("event: content_block_stop", `${event({ type: "hologram" })}event: content_block_stop`)
  ],
  ["with a field of its own", answer.replaceAll("event: ", "trace: 1\nevent: ")],
  ["with more after the stop", answer + "event: hologram\ndata: {}\n\n"]
]

export const cases: ReadonlyArray<{ readonly name: string; readonly text: string }> = [
  ...blocks.map(([name, inner, reason = "end_turn"]) => ({ name, text: starts() + inner + stops(reason) + stop })),
  ...heads.map(([name, text]) => ({ name: `an answer ${name}`, text })),
  ...tails.map(([name, text]) => ({ name: `an answer ${name}`, text })),
  ...framings.map(([name, text]) => ({ name: `a stream ${name}`, text }))
]
