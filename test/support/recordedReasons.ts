/** Why JSON that was decoded and encoded again may have another form. None changes what it means. */
import type { Difference } from "./recorded.ts"

type Json = any

interface Reason {
  readonly protocols: ReadonlyArray<string>
  readonly of: ReadonlyArray<Difference["of"]>
  /** The fields that it is about. Undefined: any field. */
  readonly fields?: ReadonlyArray<string>
  readonly applies: (difference: Difference) => boolean
  readonly reason: string
}

const chat = ["openai-chat"]
const anthropic = ["anthropic-messages"]
const both = [...chat, ...anthropic]
const all = [...both, "openai-embeddings"]
const json = ["request", "answer"] as const

const isEmptyCall = (value: Json): boolean => Object.values(value ?? {}).every((text) => text === "")

const isPlainText = (before: Json, after: Json): boolean =>
  Array.isArray(before) && before.length === 1 && before[0].text === after && Object.keys(before[0]).length === 2

const textsIn = (value: Json): string => value.map(({ text }: Json) => text).join("")

const reasons: ReadonlyArray<Reason> = [
  {
    protocols: all,
    of: json,
    applies: ({ before, kind }) => kind === "lost" && before === null,
    reason: "null means absent"
  },
  {
    protocols: both,
    of: json,
    applies: ({ after, kind }) => kind === "added" && after === null,
    reason: "absent means null: the vendor's own server always sends the field"
  },
  {
    protocols: both,
    of: ["request"],
    fields: ["stream"],
    applies: ({ before }) => before === false,
    reason: "the default"
  },
  {
    protocols: both,
    of: json,
    fields: ["system", "tools", "messages[].tool_calls", "choices[].message.tool_calls"],
    applies: ({ before, kind }) => kind === "lost" && Array.isArray(before) && before.length === 0,
    reason: "an empty list means absent"
  },
  {
    protocols: both,
    of: ["request"],
    fields: ["system", "messages[].content", "messages[].content[].content"],
    applies: ({ after, before }) => isPlainText(before, after),
    reason: "one plain text part is a text"
  },
  {
    protocols: chat,
    of: json,
    fields: ["messages[].content", "choices[].message.content", "choices[].message.refusal"],
    applies: ({ after, before }) => before === "" && after === null,
    reason: "an empty text beside other content means none"
  },
  {
    protocols: chat,
    of: ["request"],
    fields: ["max_tokens", "max_completion_tokens"],
    applies: ({ after, before }) => typeof (before ?? after) === "number",
    reason: "the newer name; a quirk sends the older one"
  },
  {
    protocols: chat,
    of: ["request"],
    fields: ["functions", "function_call", "tools", "tool_choice"],
    applies: ({ field, kind }) => kind === (field.startsWith("function") ? "lost" : "added"),
    reason: "functions become tools"
  },
  {
    protocols: chat,
    of: ["request"],
    fields: ["messages"],
    applies: ({ after, before }) => (after as Json).length > (before as Json).length,
    reason: "a tool message holds text only: its other parts follow in a user message"
  },
  {
    protocols: chat,
    of: ["request"],
    fields: ["tool_choice"],
    applies: ({ after, before }) => before === "any" && after === "required",
    reason: "OpenAI's word; a quirk sends Mistral's"
  },
  {
    protocols: ["openai-chat", "openai-embeddings"],
    of: ["request"],
    fields: ["stop", "input"],
    applies: ({ after, before }) =>
      Array.isArray(after) && after.length === 1 && JSON.stringify(after[0]) === JSON.stringify(before),
    reason: "one is a list of one"
  },
  {
    protocols: ["openai-embeddings"],
    of: ["request"],
    fields: ["encoding_format"],
    applies: ({ after, before }) => after === "float" && (before ?? undefined) === undefined,
    reason: "the default, which is sent"
  },
  {
    protocols: chat,
    of: ["request"],
    fields: ["messages[].content[].image_url"],
    applies: ({ after, before }) => (after as Json).url === before,
    reason: "the URL of an image is an object; Mistral accepts both"
  },
  {
    protocols: chat,
    of: json,
    fields: ["messages[].content[].thinking", "choices[].message.content[].thinking"],
    applies: ({ after, before }) => textsIn(before) === textsIn(after),
    reason: "texts in a row are joined"
  },
  {
    protocols: chat,
    of: ["request"],
    fields: ["response_format.json_schema.name"],
    applies: ({ before }) => before === undefined,
    reason: "OpenAI requires a name; Perplexity does not"
  },
  {
    protocols: chat,
    of: json,
    fields: ["tools[].type", "choices[].message.tool_calls[].type", "messages[].tool_calls[].type"],
    applies: ({ after, before }) => before === undefined && after === "function",
    reason: "OpenAI requires the type; Mistral does not"
  },
  {
    protocols: chat,
    of: json,
    fields: ["choices[].message.tool_calls[].index", "messages[].tool_calls[].index"],
    applies: ({ before, kind }) => kind === "lost" && typeof before === "number",
    reason: "the place in the list; only streams need it"
  },
  {
    protocols: chat,
    of: ["answer"],
    fields: ["choices[].message.function_call", "choices[].message.tool_calls[].custom"],
    applies: ({ before, kind }) => kind === "lost" && isEmptyCall(before),
    reason: "an empty call beside the real one, or none"
  },
  {
    protocols: chat,
    of: ["answer"],
    fields: ["choices[].message.tool_calls[].function.arguments"],
    applies: ({ after, before }) => before === undefined && after === "",
    reason: "no arguments are an empty text"
  },
  {
    protocols: chat,
    of: ["answer"],
    fields: ["choices[].message.tool_calls[].id"],
    applies: ({ after, before }) => (before ?? "") === "" && /^call_.*_\d+_\d+$/.test(String(after)),
    reason: "an id that was made up, since there was none"
  },
  {
    protocols: chat,
    of: ["answer", "meaning"],
    fields: ["choices[].finish_reason", "finish (encoded)"],
    applies: ({ after, before, field }) =>
      field === "choices[].finish_reason"
        ? (before ?? "") === "" && after === "stop"
        : (before as Json).every((finish: string, index: number) => finish === (after as Json)[index] || finish === ""),
    reason: "clients need a finish; there was none"
  },
  {
    protocols: chat,
    of: ["answer"],
    fields: ["choices[].index"],
    applies: ({ after, before }) => before === undefined && typeof after === "number",
    reason: "OpenAI requires the number; some servers leave it out"
  },
  {
    protocols: chat,
    of: ["answer"],
    fields: ["choices[].delta"],
    applies: ({ before, kind }) => kind === "lost" && ((before as Json)?.content ?? "") === "",
    reason: "a stream's field in a whole answer, without content"
  },
  {
    protocols: ["openai-chat", "openai-embeddings"],
    of: ["answer"],
    fields: ["id", "model", "object", "created", "data[].object", "data[].index"],
    applies: ({ before, kind }) => kind === "added" && before === undefined,
    reason: "OpenAI requires the field; some servers leave it out"
  },
  {
    protocols: anthropic,
    of: json,
    fields: ["content[].caller", "messages[].content[].caller"],
    applies: ({ after, before }) => ((before ?? after) as Json)?.type === "direct",
    reason: "the default: the model itself made the call"
  },
  {
    protocols: anthropic,
    of: ["request"],
    fields: ["output_format", "output_config"],
    applies: ({ field, kind }) => kind === (field === "output_format" ? "lost" : "added"),
    reason: "the newer name"
  },
  {
    protocols: anthropic,
    of: ["request"],
    fields: ["tools[].input_schema.type"],
    applies: ({ after, before }) => before === undefined && after === "object",
    reason: "the API rejects a schema without it"
  }
]

/** Text, calls, usage and error classes must be the same: no reason may cover them. */
const isMeaning = ({ field, of }: Difference): boolean =>
  (of === "meaning" && !field.startsWith("finish")) || /^(?:usage|error)\b/.test(field)

/** Undefined: the difference is a fault. */
export const reasonOf = (difference: Difference): string | undefined =>
  isMeaning(difference)
    ? undefined
    : reasons.find(({ applies, fields, of, protocols }) =>
      protocols.includes(difference.protocol) && of.includes(difference.of) &&
      (fields === undefined || fields.includes(difference.field)) && applies(difference)
    )?.reason
