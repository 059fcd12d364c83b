/** Why an answer that was decoded and encoded again may have another form. */
import { isSame, valueAt } from "./jsonDifferences.ts"
import type { Reason } from "./recordedReasons.ts"

type Json = any

const chat = ["openai-chat"]
const anthropic = ["anthropic-messages"]
const of = ["answer"] as const

const hasOther = (
  { function_call, reasoning, reasoning_content, reasoning_details, refusal, tool_calls }: Json
): boolean =>
  tool_calls?.length > 0 || function_call != null || reasoning_details?.length > 0 ||
  [reasoning, reasoning_content, refusal].some((text) => typeof text === "string")

const isEmptyCall = (value: Json): boolean =>
  typeof value === "object" && value !== null && Object.values(value).every((text) => text === "")

/** What the vendor's own server always sends, and others leave out. */
const required: Readonly<Record<string, ReadonlyArray<Json>>> = {
  id: [""],
  model: [""],
  object: ["chat.completion", "list"],
  created: [0],
  "data[].object": ["embedding"]
}

export const answerReasons: ReadonlyArray<Reason> = [
  {
    protocols: chat,
    of,
    fields: ["choices[].message.refusal", "choices[].logprobs", "choices[].message.content"],
    kind: "added",
    applies: ({ after }) => after === null,
    reason: "absent means null: the vendor's own server always sends the field"
  },
  {
    protocols: anthropic,
    of,
    fields: ["content[].citations", "diagnostics", "container", "stop_details", "stop_sequence"],
    kind: "added",
    applies: ({ after }) => after === null,
    reason: "absent means null: the vendor's own server always sends the field"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.tool_calls"],
    kind: "lost",
    applies: ({ before }) => isSame(before, []),
    reason: "an empty list means absent"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.content"],
    kind: "changed",
    applies: ({ after, before, path, whole }) =>
      before === "" && after === null && hasOther(valueAt(whole.before, path.slice(0, -1))),
    reason: "an empty text beside other content means none"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.content"],
    applies: ({ after, before, path, whole }) =>
      (before ?? null) === null && after === "" && !hasOther(valueAt(whole.before, path.slice(0, -1))),
    reason: "an answer with nothing in it has an empty text, as OpenAI's own"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.refusal"],
    kind: "changed",
    applies: ({ after, before }) => before === "" && after === null,
    reason: "an empty refusal means none"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.tool_calls[].type"],
    kind: "added",
    applies: ({ after, path, whole }) =>
      after === "function" && (valueAt(whole.before, path.slice(0, -1)) as Json).function !== undefined,
    reason: "OpenAI requires the type; Mistral does not"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.tool_calls[].index"],
    kind: "lost",
    applies: ({ before, path }) => before === path.at(-2),
    reason: "the place in the list; only streams need it"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.function_call", "choices[].message.tool_calls[].custom"],
    kind: "lost",
    applies: ({ before }) => isEmptyCall(before),
    reason: "an empty call beside the real one, or none"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.tool_calls[].function.arguments"],
    kind: "added",
    applies: ({ after }) => after === "",
    reason: "no arguments are an empty text"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.tool_calls[].id"],
    applies: ({ after, before, path, whole }) =>
      (before ?? "") === "" && after === `call_${whole.before.id || "0"}_${path[1]}_${path[4]}`,
    reason: "an id that was made up, since there was none"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].finish_reason"],
    applies: ({ after, before }) => (before ?? "") === "" && after === "stop",
    reason: "clients need a finish; there was none"
  },
  {
    protocols: chat,
    of: ["meaning"],
    fields: ["finish (encoded)"],
    applies: ({ after, before }) => isSame(after, (before as Json).map((finish: string) => finish || "stop")),
    reason: "clients need a finish; there was none"
  },
  {
    protocols: [...chat, "openai-embeddings"],
    of,
    fields: ["choices[].index", "data[].index"],
    kind: "added",
    applies: ({ after, path }) => after === path[1],
    reason: "OpenAI requires the number; some servers leave it out"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].delta"],
    kind: "lost",
    applies: ({ before }) =>
      Object.entries(before as Json).every(([name, value]) => name === "role" || (name === "content" && !value)),
    reason: "a stream's field in a whole answer, without content"
  },
  {
    protocols: [...chat, "openai-embeddings"],
    of,
    fields: Object.keys(required),
    kind: "added",
    applies: ({ after, field }) => required[field]?.includes(after) === true,
    reason: "OpenAI requires the field; some servers leave it out"
  },
  {
    protocols: anthropic,
    of,
    fields: ["content[].caller"],
    kind: "added",
    applies: ({ after, path, whole }) =>
      isSame(after, { type: "direct" }) && (valueAt(whole.before, path.slice(0, -1)) as Json).type === "tool_use",
    reason: "the default: the model itself made the call"
  }
]
