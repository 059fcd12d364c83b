/** Why an answer that was decoded and encoded again may have another form. */
import { isSame, valueAt } from "./jsonDifferences.ts"
import type { Reason } from "./recordedReasons.ts"

type Json = any

const chat = ["openai-chat"]
const anthropic = ["anthropic-messages"]
const of = ["answer"] as const

const isText = (value: Json): boolean => typeof value === "string" && value !== ""

const hasOther = (
  { audio, function_call, reasoning, reasoning_content, reasoning_details, refusal, tool_calls }: Json
): boolean =>
  tool_calls?.length > 0 || function_call != null || reasoning_details?.length > 0 || audio != null ||
  [reasoning, reasoning_content, refusal].some(isText)

/** Null, or an object with nothing in it. */
export const isNothing = (value: Json): boolean =>
  value === null ||
  (typeof value === "object" && !Array.isArray(value) && Object.values(value).every((field) => field === null))

const isEmptyCall = (value: Json): boolean =>
  typeof value === "object" && value !== null && Object.values(value).every((text) => text === "")

/** What the vendor's own server always sends, and others leave out. */
const required: Readonly<Record<string, ReadonlyArray<Json>>> = {
  id: ["", "msg_unnamed"],
  type: ["message"],
  role: ["assistant"],
  model: ["", "unknown"],
  object: ["chat.completion", "list"],
  created: [0],
  "data[].object": ["embedding"],
  "choices[].message.role": ["assistant"],
  "content[].signature": [""]
}

/** The text of parts that have nothing else. Undefined: there are other parts. */
const joined = (parts: Json): string | undefined =>
  Array.isArray(parts) &&
    parts.every((part: Json) =>
      typeof part.text === "string" && Object.keys(part).every((name) => ["type", "text"].includes(name))
    )
    ? parts.map(({ text }) => text).join("")
    : undefined

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
      (before === "" || isSame(before, [])) && after === null && hasOther(valueAt(whole.before, path.slice(0, -1))),
    reason: "an empty text beside other content means none"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.content"],
    kind: "changed",
    applies: ({ after, before }) => typeof after === "string" && after !== "" && joined(before) === after,
    reason: "texts in a row are one text"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.content[].thinking"],
    kind: "changed",
    applies: ({ after, before }) => isSame(after, [{ type: "text", text: joined(before) }]),
    reason: "texts in a row are joined"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.content"],
    applies: ({ after, before, path, whole }) =>
      ((before ?? null) === null || isSame(before, [])) && after === "" &&
      !hasOther(valueAt(whole.before, path.slice(0, -1))),
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
    applies: ({ after, path, whole }) => {
      const call = valueAt(whole.before, path.slice(0, -1)) as Json
      return after === (call.function === undefined && call.custom !== undefined ? "custom" : "function")
    },
    reason: "OpenAI requires the type; Mistral does not"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.tool_calls[].index"],
    kind: "lost",
    applies: ({ before }) => Number.isInteger(before),
    reason: "the number of a call; only streams need it"
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
    fields: ["choices[].message.tool_calls[].function.arguments", "choices[].message.function_call.arguments"],
    applies: ({ after, before }) => (before ?? null) === null && after === "",
    reason: "no arguments are an empty text"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.tool_calls[].function.arguments"],
    kind: "changed",
    applies: ({ after, before }) => typeof before === "object" && after === JSON.stringify(before),
    reason: "arguments are the text of their JSON"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.reasoning", "choices[].message.reasoning_content"],
    kind: "lost",
    applies: ({ before }) => before === "",
    reason: "an empty thought means none"
  },
  {
    protocols: chat,
    of,
    fields: ["choices[].message.reasoning", "choices[].message.reasoning_content"],
    applies: ({ path, quirks: { reasoningField: name }, whole }) => {
      const [before, after] = [whole.before, whole.after].map((json) => valueAt(json, path.slice(0, -1)) as Json)
      const other = name === "reasoning" ? "reasoning_content" : "reasoning"
      return (name === "reasoning" || name === "reasoning_content") &&
        after[name] === (before[name] || before[other]) &&
        !(other in after)
    },
    reason: "thinking has the name that the vendor's row declares"
  },
  {
    protocols: chat,
    of,
    fields: ["usage", "error"],
    kind: "lost",
    applies: ({ before }) => isNothing(before),
    reason: "null means absent"
  },
  {
    protocols: anthropic,
    of,
    fields: ["stop_reason"],
    applies: ({ after, before, whole }) =>
      (before ?? "") === "" &&
      after === (whole.before.content.some(({ type }: Json) => type === "tool_use") ? "tool_use" : "end_turn"),
    reason: "clients need a reason to stop; there was none"
  },
  {
    protocols: anthropic,
    of: ["meaning"],
    fields: ["finish (encoded)"],
    applies: ({ after, before }) => isSame(before, [""]) && ["end_turn", "tool_use"].includes((after as Json)[0]),
    reason: "clients need a reason to stop; there was none"
  },
  {
    protocols: anthropic,
    of,
    fields: ["content[].input"],
    applies: ({ after, before }) => (before ?? null) === null && isSame(after, {}),
    reason: "no input is an empty one"
  },
  {
    protocols: anthropic,
    of,
    fields: ["content[].id"],
    applies: ({ after, before, path, whole }) => {
      const calls = whole.before.content.slice(0, path[1]).filter(({ type }: Json) => type === "tool_use")
      return (before ?? "") === "" && after === `call_${whole.before.id || "0"}_0_${calls.length}`
    },
    reason: "an id that was made up, since there was none"
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
    of,
    fields: ["choices[].finish_reason"],
    kind: "changed",
    applies: ({ after, before, path, whole }) =>
      before === "tool_calls" && after === "function_call" &&
      whole.before.choices[path[1]!].message.function_call !== undefined,
    reason: "a call in the old form has the old finish"
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
    protocols: [...chat, ...anthropic, "openai-embeddings"],
    of,
    fields: Object.keys(required),
    applies: ({ after, before, field }) => (before ?? null) === null && required[field]?.includes(after) === true,
    reason: "the vendor's own server always sends the field; others leave it out"
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
