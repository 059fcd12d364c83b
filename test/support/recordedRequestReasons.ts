/** Why a request that was decoded and encoded again may have another form. */
import { isSame, valueAt } from "./jsonDifferences.ts"
import type { Reason } from "./recordedReasons.ts"
import { toolsOf } from "./recordedRequests.ts"

type Json = any

const chat = ["openai-chat"]
const anthropic = ["anthropic-messages"]
const of = ["request"] as const

const limits = ["max_tokens", "max_completion_tokens"]

/** Fields on the wire that a vendor may lack, under their shared names. */
const lackedFields: Readonly<Record<string, string>> = {
  frequency_penalty: "frequencyPenalty",
  n: "choices",
  parallel_tool_calls: "parallelToolCalls",
  presence_penalty: "presencePenalty",
  random_seed: "seed",
  seed: "seed",
  service_tier: "serviceTier",
  top_k: "topK",
  user: "user"
}

const isEmpty = (list: unknown): boolean => Array.isArray(list) && list.length === 0

const hasCalls = ({ function_call, tool_calls }: Json): boolean => tool_calls?.length > 0 || function_call != null

const hasOther = (message: Json): boolean =>
  hasCalls(message) || message.audio != null ||
  ["reasoning", "reasoning_content", "refusal"].some((name) => typeof message[name] === "string") ||
  message.reasoning_details?.length > 0

const isPlainText = (before: Json, after: Json): boolean =>
  Array.isArray(before) && before.length === 1 && isSame(before[0], { type: "text", text: after })

const isForced = (choice: Json): boolean => ["required", "any"].includes(choice) || typeof choice === "object"

const hasImage = ({ messages }: Json): boolean =>
  messages.some(({ content }: Json) => Array.isArray(content) && content.some(({ type }) => type === "image_url"))

/** The ids of calls and results. */
const idsIn = ({ messages }: Json): ReadonlyArray<string> =>
  messages.flatMap(({ tool_call_id, tool_calls }: Json) => [
    ...(tool_call_id === undefined ? [] : [tool_call_id]),
    ...(tool_calls ?? []).map(({ id }: Json) => id)
  ])

const textsOf = (parts: Json): ReadonlyArray<string> =>
  parts.map(({ text, type, ...others }: Json) => type === "text" && Object.keys(others).length === 0 ? text : undefined)

export const requestReasons: ReadonlyArray<Reason> = [
  {
    protocols: [...chat, ...anthropic],
    of,
    fields: ["stream"],
    kind: "lost",
    applies: ({ before }) => before === false,
    reason: "the default"
  },
  {
    protocols: [...chat, ...anthropic],
    of,
    fields: ["system", "tools", "messages[].tool_calls"],
    kind: "lost",
    applies: ({ before }) => isEmpty(before),
    reason: "an empty list means absent"
  },
  {
    protocols: [...chat, ...anthropic],
    of,
    fields: ["system", "messages[].content", "messages[].content[].content"],
    kind: "changed",
    applies: ({ after, before }) => isPlainText(before, after),
    reason: "one plain text part is a text"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].content"],
    kind: "changed",
    applies: ({ after, before, path, whole }) =>
      (before === "" || isEmpty(before)) && after === null && hasOther(valueAt(whole.before, path.slice(0, -1))),
    reason: "an empty text beside other content means none"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].content"],
    kind: "added",
    applies: ({ after, path, whole }) => after === null && hasOther(valueAt(whole.before, path.slice(0, -1))),
    reason: "absent means null, beside other content"
  },
  {
    protocols: chat,
    of,
    fields: limits,
    applies: ({ quirks, whole }) => {
      const found = limits.map((name) => whole.before[name]).filter((limit) => typeof limit === "number")
      const sent = limits.filter((name) => name in whole.after)
      return new Set(found).size === 1 && sent.length === 1 && sent[0] === quirks.maxTokensField &&
        whole.after[quirks.maxTokensField] === found[0]
    },
    reason: "the limit has the name that the vendor's row declares"
  },
  {
    protocols: chat,
    of,
    fields: ["functions", "function_call", "tools", "tool_choice"],
    applies: ({ whole: { after, before } }) => {
      const { tool_choice, tools } = toolsOf(before)
      return (before.tools ?? null) === null && isSame(after.tools, tools) && isSame(after.tool_choice, tool_choice) &&
        !("functions" in after) && !("function_call" in after)
    },
    reason: "functions become tools"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].role", "messages[].name", "messages[].tool_call_id", "messages[].function_call"],
    applies: ({ path, whole }) => {
      const [, number] = path as [string, number]
      const [before, after] = [whole.before.messages[number], whole.after.messages[number]]
      if (before.role === "function") {
        const call = whole.after.messages[number - 1]?.tool_calls?.[0]
        return after.role === "tool" && after.tool_call_id === call?.id && before.name === call?.function.name
      }
      return before.function_call !== undefined && isSame(after.tool_calls?.[0].function, before.function_call)
    },
    reason: "functions become tools"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].tool_calls"],
    kind: "added",
    applies: ({ after, path, whole }) => {
      const { function_call } = valueAt(whole.before, path.slice(0, -1)) as Json
      const id = `call_${path[1]}`
      return function_call !== undefined && isSame(after, [{ id, type: "function", function: function_call }])
    },
    reason: "functions become tools"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].content (shown)"],
    applies: () => true,
    reason: "a tool message holds text only: its other parts follow in a user message"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].tool_calls[].id", "messages[].tool_call_id"],
    applies: ({ after, before, whole, path }) =>
      (before ?? "") === "" && typeof after === "string" && after === valueAt(whole.named, path),
    reason: "an id that was made up, since there was none: call and result belong together by their order"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].tool_calls[].id", "messages[].tool_call_id"],
    kind: "changed",
    applies: ({ after, path, quirks: { toolIds }, whole }) => {
      if (toolIds === "any") return false
      const form = new RegExp(`^[0-9A-Za-z]{${toolIds.alphanumeric}}$`)
      // Each id has one replacement, and each replacement stands for one id.
      const given = idsIn(whole.named)
      const sent = idsIn(whole.after)
      const pairs = new Set(given.map((id, place) => JSON.stringify([id, sent[place]])))
      const afters = new Set(sent)
      return !form.test(String(valueAt(whole.named, path))) && form.test(String(after)) && pairs.size === afters.size &&
        pairs.size === new Set(given).size
    },
    reason: "the vendor's row declares the form of ids: others are replaced by their hash, in calls and results alike"
  },
  {
    protocols: chat,
    of,
    fields: ["tool_choice"],
    kind: "changed",
    applies: ({ after, before, quirks }) => before === "any" && after === "required" && quirks.requiredTool === after,
    reason: "OpenAI's word; a quirk sends Mistral's"
  },
  {
    protocols: chat,
    of,
    fields: ["tool_choice"],
    kind: "changed",
    applies: ({ after, before, quirks }) => before === "required" && after === "any" && quirks.requiredTool === after,
    reason: "Mistral's word, which its row declares"
  },
  {
    protocols: [...chat, "openai-embeddings"],
    of,
    fields: ["stop", "input"],
    kind: "changed",
    applies: ({ after, before }) => isSame(after, [before]),
    reason: "one is a list of one"
  },
  {
    protocols: ["openai-embeddings"],
    of,
    fields: ["encoding_format"],
    applies: ({ after, before }) => after === "float" && (before ?? undefined) === undefined,
    reason: "the default, which is sent"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].content[].image_url"],
    kind: "changed",
    applies: ({ after, before }) => isSame(after, { url: before }),
    reason: "the URL of an image is an object; Mistral accepts both"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].content[].thinking"],
    kind: "changed",
    applies: ({ after, before }) => isSame(after, [{ type: "text", text: textsOf(before).join("") }]),
    reason: "texts in a row are joined"
  },
  {
    protocols: chat,
    of,
    fields: ["tools[].function.parameters"],
    applies: ({ after, before }) => (before ?? null) === null && isSame(after, { type: "object", properties: {} }),
    reason: "no parameters are an empty list of them"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].tool_calls[].function.arguments"],
    kind: "changed",
    applies: ({ after, before }) => typeof before === "object" && after === JSON.stringify(before),
    reason: "arguments are the text of their JSON"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].tool_calls[].function.arguments"],
    applies: ({ after, before }) => (before ?? null) === null && after === "",
    reason: "no arguments are an empty text"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].content"],
    applies: ({ after, before, path, whole }) =>
      (before ?? null) === null && after === "" && valueAt(whole.before, [...path.slice(0, -1), "role"]) === "tool",
    reason: "no result is an empty text"
  },
  {
    protocols: [...chat, ...anthropic],
    of,
    fields: ["messages (empty)", "messages (joined)"],
    applies: () => true,
    reason: "servers reject empty messages, and Anthropic's joins neighbours of one role"
  },
  {
    protocols: chat,
    of,
    fields: ["response_format.json_schema.name"],
    kind: "added",
    applies: ({ after }) => after === "response",
    reason: "OpenAI requires a name; Perplexity does not"
  },
  {
    protocols: chat,
    of,
    fields: ["tools[].type", "messages[].tool_calls[].type"],
    kind: "added",
    applies: ({ after, path, whole }) =>
      after === "function" && (valueAt(whole.before, path.slice(0, -1)) as Json).function !== undefined,
    reason: "OpenAI requires the type; Mistral does not"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].tool_calls[].index"],
    kind: "lost",
    applies: ({ before }) => Number.isInteger(before),
    reason: "the number of a call; only streams need it"
  },
  {
    protocols: [...chat, "openai-embeddings"],
    of,
    fields: ["model"],
    kind: "lost",
    applies: ({ before, quirks }) => quirks.modelIn !== "body" && typeof before === "string",
    reason: "the vendor's row has the model in the path, where it was"
  },
  {
    protocols: chat,
    of,
    fields: ["response_format"],
    kind: "lost",
    applies: ({ before }) => isSame(before, { type: "text" }),
    reason: "the default"
  },
  {
    protocols: chat,
    of,
    fields: ["stream_options"],
    kind: "lost",
    applies: ({ before }) => isSame(before, { include_usage: false }),
    reason: "the default"
  },
  {
    protocols: chat,
    of,
    fields: ["stream_options"],
    kind: "lost",
    applies: ({ before, quirks }) => quirks.usage !== "include_usage" && isSame(before, { include_usage: true }),
    reason: "the vendor's row says that usage comes unasked"
  },
  {
    protocols: chat,
    of,
    fields: ["messages[].reasoning", "messages[].reasoning_content"],
    applies: ({ path, quirks, whole }) => {
      const [before, after] = [whole.before, whole.after].map((json) => valueAt(json, path.slice(0, -1)) as Json)
      const name = quirks.reasoningField
      const texts = new Set([before.reasoning, before.reasoning_content].filter((text) => typeof text === "string"))
      const other = name === "reasoning" ? "reasoning_content" : "reasoning"
      return (name === "reasoning" || name === "reasoning_content") && !(other in after) &&
        after[name] === [...texts].join("")
    },
    reason: "thinking has the name that the vendor's row declares"
  },
  {
    protocols: chat,
    of,
    fields: Object.keys(lackedFields),
    kind: "lost",
    applies: ({ dropped, path, quirks }) => {
      const field = lackedFields[String(path[0])]
      return field !== undefined && quirks.lacks.some((lacked) => lacked === field) && dropped.includes(field)
    },
    reason: "the vendor's row says that it is not accepted: it is dropped, and reported"
  },
  {
    protocols: chat,
    of,
    fields: ["n"],
    kind: "lost",
    applies: ({ before, quirks }) => before === 1 && quirks.lacks.includes("choices"),
    reason: "one answer is what a vendor gives whose row says that it has no other number"
  },
  {
    protocols: chat,
    of,
    fields: ["unsupported"],
    applies: ({ after, quirks: { unsupported }, whole: { before } }) =>
      (unsupported.includes("images") && after === "an image" && hasImage(before)) ||
      (unsupported.includes("tools") && after === "tools" && before.tools?.length > 0) ||
      (unsupported.includes("forced tools while thinking") &&
        after === "a tool choice that forces a call while the model thinks" &&
        isForced(before.tool_choice)) ||
      (unsupported.includes("forced tools") && after === "a tool choice that forces a call" &&
        isForced(before.tool_choice)),
    reason: "the vendor documents that it does not support this: the row refuses it"
  },
  {
    protocols: chat,
    of,
    fields: ["response_format", "response_format.type", "response_format.json_schema", "response_format.schema"],
    applies: ({ quirks: { formats }, whole: { after, before } }) => {
      const { json_schema, type } = before.response_format
      const form = after.response_format
      if (type !== "json_schema" || formats === "json_schema") return false
      return isSame(
        form,
        formats === "json_object" ? { type: "json_object" } : { type: "json_object", schema: json_schema.schema }
      )
    },
    reason: "the vendor's row declares how a schema is asked for"
  },
  {
    protocols: anthropic,
    of,
    fields: ["tools[].type"],
    kind: "lost",
    applies: ({ before }) => before === "custom",
    reason: "the default"
  },
  {
    protocols: anthropic,
    of,
    fields: ["messages[].content[].content"],
    applies: ({ after, before }) => (before ?? null) === null && after === "",
    reason: "no result is an empty text"
  },
  {
    protocols: anthropic,
    of,
    fields: ["messages[].content[].caller"],
    kind: "lost",
    applies: ({ before }) => isSame(before, { type: "direct" }),
    reason: "the default: the model itself made the call"
  },
  {
    protocols: anthropic,
    of,
    fields: ["output_format", "output_config", "output_config.format"],
    applies: ({ whole: { after, before } }) =>
      !("output_format" in after) && isSame(after.output_config?.format, before.output_format) &&
      isSame({ ...after.output_config, format: null }, { ...before.output_config, format: null }),
    reason: "the newer name"
  },
  {
    protocols: anthropic,
    of,
    fields: ["tools[].input_schema.type"],
    kind: "added",
    applies: ({ after }) => after === "object",
    reason: "the API rejects a schema without it"
  }
]
