import * as OptionCheck from "@clawback/core/OptionCheck"
import { checkedLimitHeaders, type LimitHeaders, standard } from "../openAi/limits.ts"
import { checkedPlace, type ModelPlace } from "../openAi/place.ts"

/** The known values of each quirk that is a list of words. */
const lists = {
  lacks: [
    "choices",
    "frequencyPenalty",
    "parallelToolCalls",
    "presencePenalty",
    "seed",
    "serviceTier",
    "topK",
    "user"
  ],
  unsupported: ["tools", "forced tools", "forced tools while thinking", "images"],
  tokensOutside: ["reasoning", "audio"]
} as const

/** A field of all requests that a server may lack. */
export type LackedField = typeof lists.lacks[number]

/** From least to most. */
const efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"] as const

type Effort = typeof efforts[number]

/**
 * The differences between servers of this protocol. A provider declares its quirks, and the code reads them. No code
 * compares the provider's name.
 */
export interface Quirks {
  /**
   * The field of `maxOutputTokens`.
   *
   * OpenAI's newer models reject `max_tokens` ("Use 'max_completion_tokens' instead", 400 `unsupported_parameter`). Many
   * compatible servers know only `max_tokens`, such as Mistral (its API reference).
   */
  readonly maxTokensField: "max_completion_tokens" | "max_tokens"
  /**
   * The field of the model's thinking. OpenAI's own reference has none.
   *
   * The decoder reads both names. If a server sends both, the declared one wins, else `reasoning_content`. A history goes
   * back to the server as follows:
   *
   * - `as-received`: each thought under its own name, if a server of this protocol sent it.
   * - `reasoning_content` or `reasoning`: each thought under this name, unless another provider signed it. DeepSeek answers
   *   400 if `reasoning_content` is missing beside tool calls (its guide to thinking mode).
   * - `thinking`: each thought as a part of the content, of the type `thinking`. Mistral sends and accepts it so (its guide
   *   to reasoning), and rejects the fields.
   * - `never`: no thoughts.
   *
   * DeepSeek, xAI, Alibaba, Moonshot and llama.cpp use `reasoning_content`; Groq, OpenRouter, Cerebras and Ollama use
   * `reasoning` (recorded traffic, 2026).
   */
  readonly reasoningField: "as-received" | "never" | "reasoning_content" | "reasoning" | "thinking"
  /**
   * Whether `reasoning_details` go back: thinking in a form that its model needs back, such as signed or encrypted. A stream's
   * pieces are joined. Default: `as-received` if the `reasoningField` is, since the server is not known to reject them.
   *
   * OpenRouter's guide to reasoning tokens: "you can pass the reasoning_details … back".
   */
  readonly reasoningDetails: "as-received" | "never"
  /**
   * The form of tool call ids that the server accepts. In a request, another id is replaced by its hash in this form, so that
   * calls and results still match. Answers may have any ids: Mistral's own have other forms too.
   *
   * Mistral answers 400 with the code 3280: "must be a-z, A-Z, 0-9, with a length of 9".
   */
  readonly toolIds: "any" | { readonly alphanumeric: number }
  /**
   * How a stream reports usage.
   *
   * - `include_usage`: in `usage`, if the request sets `stream_options.include_usage` (OpenAI's API reference).
   * - `unasked`: always in `usage` of the last chunk. Mistral rejects `stream_options` with 422 `extra_forbidden`.
   * - `x_groq`: always in `x_groq.usage` of the last chunk (Groq's API reference).
   */
  readonly usage: "include_usage" | "unasked" | "x_groq"
  /**
   * Shared fields that the server rejects or ignores, such as `topK` (`top_k`) at OpenAI, which answers 400, and `user` at
   * Mistral, which answers 422. They are not sent, and the answer reports them as dropped. Several `choices` are refused with
   * `Unsupported`, since the answer would have another form.
   */
  readonly lacks: ReadonlyArray<LackedField>
  /**
   * The efforts of `reasoning` that the server accepts. Another one becomes the next higher, or else the highest. Cohere has
   * only `none` and `high` (its page on its compatible endpoint).
   */
  readonly efforts: "any" | ReadonlyArray<Effort>
  /**
   * The field of a file's URL. OpenAI rejects a URL; OpenRouter accepts it in `file_data` (its guide to PDF inputs). With
   * `unsupported`, a request with the URL of a file fails with `Unsupported`.
   */
  readonly fileUrl: "file_data" | "unsupported"
  /** The role of system messages without a role in their extras. OpenAI prefers `developer`; few other servers know it. */
  readonly systemRole: "system" | "developer"
  /** The field of `seed`. Mistral's API reference has `random_seed`. */
  readonly seedField: "seed" | "random_seed"
  /** The word for a tool choice of `required`. Mistral's API reference has `any`. */
  readonly requiredTool: "required" | "any"
  /**
   * How a request forces one tool. LM Studio rejects an object ("Supported string values: none, auto, required"). With
   * `required`, it gets this word and that tool alone.
   */
  readonly namedTool: "function" | "required"
  /** Where a request names its model. Azure has it in the path, as the name of a deployment. */
  readonly modelIn: ModelPlace
  /**
   * How a request asks for an answer that fits a schema.
   *
   * - `json_schema`: by `response_format` of this type (OpenAI's API reference).
   * - `json_object`: by a system message with the schema, and `response_format` of this type. The server checks that the
   *   answer is JSON, not that it fits. DeepSeek's guide to JSON output.
   * - `json_object_schema`: by `response_format` of the type `json_object` with the field `schema` (Cohere's page on its
   *   compatible endpoint).
   */
  readonly formats: "json_schema" | "json_object" | "json_object_schema"
  /**
   * How a request asks for JSON without a schema. LM Studio ("must be 'json_schema' or 'text'") and Perplexity (its guide to
   * structured outputs) have no `json_object`. With `json_schema`, they get the schema of any object.
   */
  readonly json: "json_object" | "json_schema"
  /**
   * What these servers lack. A request with it fails with `Unsupported` before it is sent. `forced tools while thinking`: a tool
   * choice that forces a call, in a request that asks for thinking. A model that thinks unasked rejects it itself.
   */
  readonly unsupported: ReadonlyArray<"tools" | "forced tools" | "forced tools while thinking" | "images">
  /**
   * Tokens that the server counts outside of its totals: `reasoning` outside of `completion_tokens` (xAI), `audio` outside of
   * `prompt_tokens` (Mistral). Our counts include them.
   */
  readonly tokensOutside: ReadonlyArray<"reasoning" | "audio">
  /** The field of `usage` that counts input from the cache: in its details, or beside the totals. The decoder reads all. */
  readonly cachedTokens: "prompt_tokens_details" | "prompt_cache_hit_tokens" | "cached_tokens" | "num_cached_tokens"
  /** The finish of an answer that calls tools. Google's compatible endpoint says `stop`. The decoder reads both. */
  readonly toolFinish: "tool_calls" | "stop"
  /** What ends a stream: `[DONE]`, or the finish alone (Perplexity). The decoder reads both. */
  readonly streamEnd: "[DONE]" | "finish"
  /** The headers that state the provider's limits. */
  readonly limitHeaders: LimitHeaders
}

/** OpenAI's own server, and what most servers accept. */
const defaults: Quirks = {
  maxTokensField: "max_completion_tokens",
  reasoningField: "as-received",
  reasoningDetails: "as-received",
  toolIds: "any",
  usage: "include_usage",
  lacks: [],
  efforts: "any",
  fileUrl: "unsupported",
  systemRole: "system",
  seedField: "seed",
  requiredTool: "required",
  namedTool: "function",
  modelIn: "body",
  formats: "json_schema",
  json: "json_object",
  unsupported: [],
  tokensOutside: [],
  cachedTokens: "prompt_tokens_details",
  toolFinish: "tool_calls",
  streamEnd: "[DONE]",
  limitHeaders: standard
}

/** The known values of each quirk that is a word. */
const words = {
  maxTokensField: ["max_completion_tokens", "max_tokens"],
  reasoningField: ["as-received", "never", "reasoning_content", "reasoning", "thinking"],
  reasoningDetails: ["as-received", "never"],
  usage: ["include_usage", "unasked", "x_groq"],
  fileUrl: ["file_data", "unsupported"],
  systemRole: ["system", "developer"],
  seedField: ["seed", "random_seed"],
  requiredTool: ["required", "any"],
  namedTool: ["function", "required"],
  formats: ["json_schema", "json_object", "json_object_schema"],
  json: ["json_object", "json_schema"],
  cachedTokens: ["prompt_tokens_details", "prompt_cache_hit_tokens", "cached_tokens", "num_cached_tokens"],
  toolFinish: ["tool_calls", "stop"],
  streamEnd: ["[DONE]", "finish"]
} as const

/** A hash has no more characters. */
const longestToolId = 11

const checkedToolIds = (toolIds: Quirks["toolIds"]): Quirks["toolIds"] => {
  if (toolIds === "any") return toolIds
  const { alphanumeric } = OptionCheck.fields("quirks.toolIds", toolIds, { alphanumeric: true })
  return { alphanumeric: OptionCheck.count("quirks.toolIds.alphanumeric", alphanumeric, 1, longestToolId) }
}

const checkedList = <Word extends string>(name: string, given: unknown, known: ReadonlyArray<Word>) => {
  if (!Array.isArray(given)) throw OptionCheck.wrong(name, given, "a list")
  for (const item of given) OptionCheck.choice<string>(name, item, known)
  return given as ReadonlyArray<Word>
}

const checkedEfforts = (given: Quirks["efforts"]): Quirks["efforts"] => {
  if (given === "any") return given
  if (checkedList("quirks.efforts", given, efforts).length > 0) return given
  throw OptionCheck.wrong("quirks.efforts", given, "`any` or a list of efforts")
}

/** All quirks: an undefined one is its default. Throws a `RangeError` at an unknown quirk or value. */
export const complete = (quirks: Partial<Quirks>): Quirks => {
  const given = OptionCheck.fields("quirks", quirks, defaults)
  const word = <K extends keyof typeof words>(name: K) =>
    OptionCheck.choice<typeof words[K][number]>(`quirks.${name}`, given[name] ?? defaults[name], words[name])
  const list = <K extends keyof typeof lists>(name: K) =>
    checkedList<typeof lists[K][number]>(`quirks.${name}`, given[name] ?? defaults[name], lists[name])
  const reasoningField = word("reasoningField")
  return {
    maxTokensField: word("maxTokensField"),
    reasoningField,
    reasoningDetails: given.reasoningDetails === undefined && reasoningField !== "as-received"
      ? "never"
      : word("reasoningDetails"),
    toolIds: checkedToolIds(given.toolIds ?? defaults.toolIds),
    usage: word("usage"),
    lacks: list("lacks"),
    efforts: checkedEfforts(given.efforts ?? defaults.efforts),
    fileUrl: word("fileUrl"),
    systemRole: word("systemRole"),
    seedField: word("seedField"),
    requiredTool: word("requiredTool"),
    namedTool: word("namedTool"),
    modelIn: checkedPlace("quirks.modelIn", given.modelIn ?? defaults.modelIn),
    formats: word("formats"),
    json: word("json"),
    unsupported: list("unsupported"),
    tokensOutside: list("tokensOutside"),
    cachedTokens: word("cachedTokens"),
    toolFinish: word("toolFinish"),
    streamEnd: word("streamEnd"),
    limitHeaders: checkedLimitHeaders("quirks.limitHeaders", given.limitHeaders ?? defaults.limitHeaders)
  }
}

/** The effort in a word that the server accepts. Words of its own are left to it. */
export const acceptedEffort = ({ efforts: accepted }: Quirks, asked: string | undefined): string | undefined => {
  const rank = efforts.findIndex((effort) => effort === asked)
  if (accepted === "any" || rank < 0) return asked
  const known = efforts.filter((effort) => accepted.includes(effort))
  return known.find((effort) => efforts.indexOf(effort) >= rank) ?? known.at(-1)
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** FNV-1a, 64 bits. */
const hash = (text: string): bigint => {
  let value = 0xcbf29ce484222325n
  for (let at = 0; at < text.length; at++) {
    value = BigInt.asUintN(64, (value ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n)
  }
  return value
}

/** The id in the form that the server accepts. */
export const toolId = ({ toolIds }: Quirks, id: string): string => {
  if (toolIds === "any" || (id.length === toolIds.alphanumeric && /^[0-9A-Za-z]+$/.test(id))) return id
  let left = hash(id)
  let accepted = ""
  while (accepted.length < toolIds.alphanumeric) {
    accepted += alphabet[Number(left % 62n)]
    left /= 62n
  }
  return accepted
}

/** The field in which a thought goes back to the server. Undefined: it does not go back. */
export const reasoningName = (
  { reasoningField }: Quirks,
  { isSigned, received }: { readonly received: string | undefined; readonly isSigned: boolean }
): string | undefined => {
  switch (reasoningField) {
    case "as-received":
      return received
    case "never":
      return undefined
    default:
      return received === undefined && isSigned ? undefined : reasoningField
  }
}
