/**
 * What becomes of a request's fields at a server whose protocol lacks them: the one table, as data.
 *
 * Encoders obey it through `Crossing`, and the table in `docs/across-protocols.md` is made of it. The choice follows from what
 * is lost:
 *
 * - `converted`: the provider gets the same in another form. Nothing is reported.
 * - `dropped`: the answer is of the same kind without it: hints for caching, sampling, speed, bookkeeping. It is reported.
 * - `refused`: the model would know or do less than was asked, or the answer would have another shape, or data would go where
 *   it must not. The call fails with `Unsupported` before anything is sent.
 */
import { isObject } from "../json/json.ts"
import type { Json } from "../json/model.ts"

export interface Rule {
  readonly choice: "converted" | "dropped" | "refused"
  /** What it becomes, what its loss means, or why it cannot be left out. */
  readonly reason: string
  /** Whether a value asks for nothing that others do not do anyway. Default: none does. */
  readonly isOff?: ((value: Json) => boolean) | undefined
}

type Rules = Readonly<Record<string, Rule>>
type IsOff = Rule["isOff"]

const converted = (reason: string): Rule => ({ choice: "converted", reason })
const dropped = (reason: string, isOff?: IsOff): Rule => ({ choice: "dropped", reason, isOff })
const refused = (reason: string, isOff?: IsOff): Rule => ({ choice: "refused", reason, isOff })

/** Where a field is: how its path begins. */
export const places = {
  request: "",
  system: "system.",
  messages: "messages.",
  content: "messages.content.",
  tools: "tools."
} as const

export type Place = keyof typeof places

/** The fields of one protocol alone: extras by their place, and native parts by their type. `a.b` is the field `b` of `a`. */
export type Foreign = Readonly<Partial<Record<Place | "parts", Rules>>>

const isFalse = (value: Json): boolean => value === false
const isEmpty = (value: Json): boolean =>
  value === false || (Array.isArray(value) ? value.length === 0 : isObject(value) && value["enabled"] === false)
const isText = (value: Json): boolean => Array.isArray(value) && value.every((modality) => modality === "text")
const allowsModel = (value: Json): boolean => Array.isArray(value) && value.includes("direct")

const caching = dropped("the provider caches as it likes")
const cached: Rules = { cache_control: caching }
const thinking = "how much the model thinks is left to its default"
const citing = dropped("the provider gets and makes no citations", isEmpty)
const storing = "the provider stores no answer for later"
const named = dropped("participants have no names")
const note = dropped("it is about an earlier answer, and no part of it")

/** What becomes of that which `foreign` does not list. */
export const unlisted = {
  field: dropped("only the protocol of the request has it"),
  part: refused("the model would not know what is in it"),
  tool: refused("the model would lose it")
}

/** What other protocols lack. */
export const foreign: Readonly<Record<string, Foreign>> = {
  "anthropic-messages": {
    request: {
      ...cached,
      container: refused("its files and skills are at the provider"),
      context_management: dropped("the history is sent whole"),
      inference_geo: refused("the answer must be made there"),
      mcp_servers: refused("the model would lose their tools"),
      metadata: dropped("only the user's id has a place elsewhere"),
      output_config: dropped("the provider uses its defaults"),
      "output_config.format": refused("the answer would have another form"),
      output_format: refused("the answer would have another form"),
      speed: dropped("the provider answers at its usual speed", (value) => value === "standard"),
      thinking: dropped(thinking),
      "thinking.display": dropped("whether thinking is shown is left to the provider"),
      thread: refused("the conversation is kept at the provider")
    },
    system: {
      ...cached,
      clear_at: dropped("the message stays in front of the model", (value) => value === "never"),
      output_config: dropped("the effort is the same for the whole request")
    },
    messages: cached,
    content: {
      ...cached,
      caller: dropped("the call looks as if the model made it"),
      citations: citing,
      context: refused("the model would not know it; put it in a text")
    },
    tools: {
      ...cached,
      allowed_callers: refused("only code may call the tool", allowsModel),
      defer_loading: dropped("the model sees the tool from the start", isFalse),
      eager_input_streaming: dropped("arguments are streamed as the provider likes", isFalse),
      input_examples: dropped("the model sees no examples")
    },
    parts: {
      citations_delta: citing,
      document: converted("its texts, below its title; with images it is refused"),
      search_result: converted("its texts, below its title and source")
    }
  },
  "openai-chat": {
    request: {
      audio: refused("the answer would not be spoken"),
      logit_bias: dropped("tokens have other numbers"),
      logprobs: dropped("the answer has no probabilities", isFalse),
      max_tokens: converted("`max_completion_tokens` counts"),
      metadata: dropped(storing),
      modalities: refused("the answer would be text", isText),
      moderation: refused("nothing would be moderated"),
      prediction: dropped("the answer is the same, only slower"),
      prompt_cache_key: caching,
      prompt_cache_options: caching,
      prompt_cache_retention: caching,
      reasoning: dropped("the provider shows its thinking as it likes"),
      "reasoning.effort": converted("`reasoning`"),
      "reasoning.enabled": converted("`reasoning`"),
      "reasoning.max_tokens": converted("`reasoning`"),
      response_format: refused("the answer would have another form"),
      "response_format.json_schema": dropped("only the fields of a schema that all have are sent"),
      safety_identifier: dropped("only `user` has a place elsewhere"),
      store: dropped(storing, isFalse),
      stream_options: dropped("the provider streams as it likes"),
      thinking: dropped(thinking),
      "thinking.type": dropped(thinking, (value) => value === "disabled"),
      tool_choice: refused("the model might call other tools"),
      top_logprobs: dropped("the answer has no probabilities", (value) => value === 0),
      verbosity: dropped("the length of the answer is left to the prompt"),
      web_search_options: refused("the model would lose its search")
    },
    system: {
      name: named,
      role: converted("`system`")
    },
    messages: {
      annotations: citing,
      audio: refused("the model would not know what it said"),
      name: named,
      reasoning_details: dropped("only the provider that wrote it can read it")
    },
    content: {
      extra_content: dropped("only the provider that wrote it can read it"),
      copy: converted("thinking has one place"),
      name: converted("thinking has its own place"),
      prompt_cache_breakpoint: caching,
      type: refused("the call is of a tool without a schema", (value) => value === "function_call")
    },
    parts: { choice: note, message: note, response: note }
  }
}

/** A shared field that a protocol lacks, or a case of it. */
export interface Lack extends Rule {
  /** Its path in `ChatRequest`. */
  readonly field: string
  /** Which values of it. Default: all. */
  readonly when?: string | undefined
}

const lack = (field: string, rule: Rule, when?: string): Lack => ({ ...rule, field, when })

const content = "messages.content"
const choosing = dropped("there are no tools to choose from")
const repeating = dropped("the model repeats itself as it likes")
const seeding = dropped("the same request may have another answer")
const wandering = dropped("the model changes topics as it likes")
const unnamed = dropped("the provider has no names for them")
const withoutTools = "without tools"
const asLacked = "as the row's `lacks` says"
const uploaded = lack(
  content,
  refused("the provider does not have it"),
  "a file uploaded to a provider of another protocol"
)

/** What a protocol does with fields that all requests share and that it lacks. */
export const lacking = {
  "anthropic-messages": {
    choices: lack("choices", refused("the protocol has one"), "several answers to one request"),
    detail: lack(`${content}.detail`, dropped("the provider chooses the resolution")),
    effort: lack("reasoning.effort", converted("no thinking; the effort `low`"), "`none`; `minimal`"),
    fileName: lack(`${content}.name`, unnamed, "of an image"),
    fileType: lack(content, refused("the provider reads only text, images and PDF"), "a file of another type"),
    formatDescription: lack("format.description", dropped("the schema says what the answer is")),
    formatStrict: lack("format.strict", converted("the schema is always enforced"), "`false`"),
    frequencyPenalty: lack("frequencyPenalty", repeating, "other than 0"),
    json: lack("format", dropped("the prompt alone asks for JSON: only a schema is enforced"), "JSON without a schema"),
    plainText: lack(content, converted("a document of plain text"), "a file of text"),
    presencePenalty: lack("presencePenalty", wandering, "other than 0"),
    reasoning: lack(`${content}.reasoning`, dropped("the provider accepts only thinking that it signed"), "unsigned"),
    seed: lack("seed", seeding),
    temperature: lack("temperature", dropped("it is sent as 1, the highest"), "above 1"),
    tier: lack("serviceTier", dropped("the provider has no such tier"), "`flex`, `scale`, `priority`, `fast`"),
    tierName: lack("serviceTier", converted("`standard_only`"), "`default`"),
    toolCallId: lack(
      `${content}.id`,
      converted("an id that is turned back when it returns"),
      "not of `A-Z a-z 0-9 _ -`"
    ),
    toolChoice: lack("toolChoice", choosing, withoutTools),
    uploaded
  },
  "openai-chat": {
    budget: lack("reasoning.budgetTokens", converted("an effort, unless there is one")),
    choices: lack("choices", refused("the server gives one"), `several answers to one request, ${asLacked}`),
    effort: lack("reasoning.effort", converted("the next higher, else the highest"), "as the row's `efforts` says"),
    fileName: lack(`${content}.name`, unnamed, "of an image or a sound"),
    fileUrl: lack(content, refused("the provider fetches only images"), "a file by its URL"),
    formatDescription: lack(
      "format.description",
      converted("the description of the schema"),
      "as the row's `formats` says"
    ),
    frequencyPenalty: lack("frequencyPenalty", repeating, `other than 0, ${asLacked}`),
    imageId: lack(content, refused("the provider takes images by URL or whole"), "an uploaded image"),
    isError: lack("messages.isError", dropped("only the text of the result says that the tool failed"), "true"),
    json: lack("format", converted("the schema of any object"), "JSON without a schema, as the row's `json` says"),
    namedTool: lack(
      "toolChoice",
      converted("`required`, with this tool alone"),
      "one tool, as the row's `namedTool` says"
    ),
    parallelToolCalls: lack(
      "parallelToolCalls",
      dropped("the model calls as many tools as it likes"),
      `false, ${asLacked}`
    ),
    plainText: lack(content, converted("a text"), "a file of plain text"),
    prefill: lack(
      "messages",
      converted("an answer of its own kind: most servers begin a new one, and do not continue it"),
      "an assistant message at the end"
    ),
    presencePenalty: lack("presencePenalty", wandering, `other than 0, ${asLacked}`),
    reasoning: lack(
      `${content}.reasoning`,
      dropped("the provider does not accept this thinking back"),
      "as the row's `reasoningField` says"
    ),
    results: lack(
      content,
      converted("a message of the user after the results"),
      "images and files in the result of a tool"
    ),
    seed: lack("seed", seeding, asLacked),
    serviceTier: lack("serviceTier", dropped("the provider has no tiers"), `other than the usual one, ${asLacked}`),
    tierName: lack("serviceTier", converted("`default`"), "`standard_only`"),
    toolChoice: lack("toolChoice", choosing, withoutTools),
    topK: lack("topK", dropped("the provider samples as it likes"), asLacked),
    uploaded,
    user: lack("user", dropped("the provider does not learn who asks"), asLacked)
  },
  "openai-embeddings": {
    dimensions: lack("dimensions", refused("the vectors would have another length"), asLacked),
    user: lack("user", dropped("the provider does not learn who asks"), asLacked)
  }
} satisfies Readonly<Record<string, Readonly<Record<string, Lack>>>>

export type Lacking = typeof lacking

const declared: ReadonlySet<string> = new Set([
  ...Object.values(lacking).flatMap((lacks) => Object.values<Lack>(lacks).map(({ field }) => field)),
  ...Object.values(foreign).flatMap((protocol) =>
    Object.entries(protocol).flatMap(([place, rules]) =>
      Object.keys(rules).map((name) => places[place === "parts" ? "content" : place as Place] + name)
    )
  )
])

/** Whether the tables have a field, so that its name does not come from a request. */
export const isDeclared = (field: string): boolean => declared.has(field)
