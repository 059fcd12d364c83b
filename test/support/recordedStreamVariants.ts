/** Other forms of streams: of their lines, and of the JSON in their events. */
import { parsed, type Variant } from "./recordedVariant.ts"
import type { Recording } from "./recordings.ts"

type Json = any

type Protocols = ReadonlyArray<Recording["protocol"]>

const both: Protocols = ["openai-chat", "anthropic-messages"]

const lines = (
  name: string,
  change: (text: string, random: () => number) => string,
  protocols: Protocols = both
): Variant => ({
  name: `stream: ${name}`,
  of: (recording, random) => {
    if (recording.kind !== "stream" || !protocols.includes(recording.protocol)) return undefined
    const responseBody = change(recording.responseBody, random)
    return responseBody === recording.responseBody ? undefined : { ...recording, requestBody: null, responseBody }
  }
})

const eachEvent = (text: string, change: (event: string, index: number) => string): string =>
  text.split(/(?<=\n\n)/).map(change).join("")

const isOneLine = (text: string): boolean => !text.includes("\r") && text.includes("\n\n")

/** The first has the name of the event that it replaces. */
const written = (value: Json, index: number): string =>
  `${index > 0 && typeof value.type === "string" ? `event: ${value.type}\n` : ""}data: ${JSON.stringify(value)}`

const data = /^data: ?(\{.*\})$/gm

interface Chunk {
  readonly chunk: Json
  readonly index: number
  readonly all: ReadonlyArray<Json>
}

/** Changes the JSON of each event. Returns false, and the stream has not this form. A list replaces the event by several. */
const json = (
  protocol: Recording["protocol"],
  name: string,
  change: (chunk: Chunk, random: () => number) => boolean | void | ReadonlyArray<Json>
): Variant =>
  lines(name, (text, random) => {
    const all = [...text.matchAll(data)].map(([, found = ""]) => parsed(found))
    let index = 0
    return text.replaceAll(data, (line) => {
      const chunk = all[index]
      if (chunk === undefined) return line
      const before = JSON.stringify(chunk)
      const made = change({ chunk, index: index++, all }, random)
      if (Array.isArray(made)) return made.map(written).join("\n\n")
      const after = JSON.stringify(chunk)
      return made === false || after === before ? line : `data: ${after}`
    })
  }, [protocol])

const chat = (name: string, change: Parameters<typeof json>[2]): Variant => json("openai-chat", name, change)

const choices = (name: string, change: (choice: Json, random: () => number) => void): Variant =>
  chat(name, ({ chunk }, random) => {
    for (const choice of chunk.choices ?? []) change(choice, random)
  })

const deltas = (name: string, change: (delta: Json) => void): Variant =>
  choices(name, ({ delta }) => {
    if (typeof delta === "object" && delta !== null) change(delta)
  })

const calls = (name: string, change: (call: Json, delta: Json) => void): Variant =>
  deltas(name, (delta) => {
    for (const call of delta.tool_calls ?? []) change(call, delta)
  })

const failed = { error: { message: "The server had an error", type: "server_error", code: null } }

const emoji = (text: string): string =>
  text.replaceAll(/"content": ?"([^"\\]+)"/g, (_, said) => `"content":"${said}🦊é中"`)

export const streamVariants: ReadonlyArray<Variant> = [
  lines("lines that end with CRLF", (text) => isOneLine(text) ? text.replaceAll("\n", "\r\n") : text),
  lines("lines that end with CR", (text) => isOneLine(text) ? text.replaceAll("\n", "\r") : text),
  lines("a byte order mark", (text) => `\ufeff${text}`),
  lines("comments between events", (text) => eachEvent(text, (event) => `: OPENROUTER PROCESSING\n\n${event}`)),
  lines("no space after the colon", (text) => text.replaceAll(/^data: /gm, "data:")),
  lines(
    "ids and times",
    (text) => eachEvent(text, (event, index) => event.trim() === "" ? event : `id: ${index}\nretry: 3000\n${event}`)
  ),
  lines("events named message", (text) => text.replaceAll(/^data: ?\{/gm, (line) => `event: message\n${line}`), [
    "openai-chat"
  ]),
  lines("empty lines in front", (text) => `\n\n\n${text}`),
  lines("no [DONE]", (text) => text.replaceAll(/^data: ?\[DONE\]\n\n/gm, ""), ["openai-chat"]),
  lines("[DONE] without a space", (text) => text.replaceAll("data: [DONE]", "data:[DONE]"), ["openai-chat"]),
  lines("letters of several bytes", emoji, ["openai-chat"]),
  choices("an empty finish on each chunk", (choice) => {
    choice.finish_reason ??= ""
  }),
  choices("no finish on chunks that have none", (choice) => {
    if (choice.finish_reason === null) delete choice.finish_reason
  }),
  choices("no finish", (choice) => {
    choice.finish_reason = null
  }),
  choices("another vendor's finish", (choice, random) => {
    const other = ["model_length", "eos", "sensitive", "STOP", "insufficient_system_resource"]
    if (choice.finish_reason) choice.finish_reason = other[Math.floor(random() * other.length)]
  }),
  choices("no numbers of choices", (choice) => {
    if (choice.index === 0) delete choice.index
  }),
  choices("null for an empty delta", (choice) => {
    if (choice.delta && Object.keys(choice.delta).length === 0) choice.delta = null
  }),
  choices("log probabilities", (choice) => {
    choice.logprobs = { content: [{ token: "a", logprob: -1, bytes: [97], top_logprobs: [] }] }
  }),
  deltas("a role on each chunk", (delta) => {
    delta.role = "assistant"
  }),
  deltas("null for all that is not there", (delta) => {
    for (
      const name of ["content", "refusal", "tool_calls", "function_call", "reasoning", "reasoning_content", "role"]
    ) {
      delta[name] ??= null
    }
  }),
  deltas("an empty text for no text", (delta) => {
    delta.content ??= ""
  }),
  deltas("content as parts", (delta) => {
    if (typeof delta.content === "string" && delta.content !== "") {
      delta.content = [{ type: "text", text: delta.content }]
    }
  }),
  deltas("thinking under the other name", (delta) => {
    const [name, other] = typeof delta.reasoning === "string"
      ? ["reasoning", "reasoning_content"] as const
      : ["reasoning_content", "reasoning"] as const
    if (typeof delta[name] !== "string" || typeof delta[other] === "string") return
    delta[other] = delta[name]
    delete delta[name]
  }),
  deltas("thinking under both names", (delta) => {
    if (typeof delta.reasoning === "string") delta.reasoning_content ??= delta.reasoning
    else if (typeof delta.reasoning_content === "string") delta.reasoning ??= delta.reasoning_content
  }),
  calls("calls with empty ids", (call) => {
    call.id = ""
  }),
  calls("calls with null for ids", (call) => {
    call.id = null
  }),
  calls("an empty id on further fragments", (call) => {
    if (!call.function?.name) call.id = ""
  }),
  calls("an empty name on further fragments", (call) => {
    if (call.function && !call.function.name) call.function.name = ""
  }),
  calls("null for the name of further fragments", (call) => {
    if (call.function && !call.function.name) call.function.name = null
  }),
  calls("numbers as texts", (call) => {
    if (typeof call.index === "number") call.index = String(call.index)
  }),
  calls("no numbers of calls", (call, delta) => {
    if (delta.tool_calls.length === 1) delete call.index
  }),
  calls("calls without types", (call) => {
    delete call.type
  }),
  calls("null for empty arguments", (call) => {
    if (call.function?.arguments === "") call.function.arguments = null
  }),
  calls("whole arguments as an object", (call) => {
    const text = call.function?.arguments
    if (call.function?.name && text?.startsWith("{") && parsed(text) !== undefined) {
      call.function.arguments = parsed(text)
    }
  }),
  chat("usage on each chunk", ({ all, chunk }) => {
    const usage = all.map((other) => other?.usage).findLast((usage) => usage)
    if (usage === undefined) return
    chunk.usage = usage
  }),
  chat("no usage", ({ chunk }) => {
    delete chunk.usage
    delete chunk.x_groq
  }),
  chat("null in the usage", ({ chunk }) => {
    if (chunk.usage) chunk.usage.prompt_tokens_details = null
  }),
  chat("an empty usage on chunks that have none", ({ chunk }) => {
    if (!chunk.x_groq) chunk.usage ??= {}
  }),
  chat("null for an error", ({ chunk }) => {
    chunk.error = null
  }),
  chat("unknown fields that differ", ({ chunk, index }) => {
    chunk.x_new = { index }
    for (const choice of chunk.choices ?? []) choice.x_new = [null]
  }),
  chat("chunks of an unknown kind", ({ chunk, index }) => index === 1 ? [{ type: "ping" }, chunk] : undefined),
  chat("null for the choices of the usage", ({ chunk }) => {
    if (chunk.choices?.length === 0) chunk.choices = null
  }),
  chat("no ids", ({ chunk }) => {
    delete chunk.id
    delete chunk.object
    delete chunk.created
  }),
  chat("two answers", ({ chunk }) =>
    (chunk.choices ?? []).length === 1 && chunk.choices[0].index === 0
      ? [chunk, { ...chunk, choices: [{ ...chunk.choices[0], index: 1 }] }]
      : undefined),
  chat("an error in the middle", ({ chunk, index }) => index === 1 ? [failed, chunk] : undefined),
  chat(
    "an error as a text in the middle",
    ({ chunk, index }) => index === 1 ? [{ error: "overloaded" }, chunk] : undefined
  ),
  json("anthropic-messages", "null for counts that come later", ({ chunk }) => {
    if (chunk.type === "message_delta" && chunk.usage) chunk.usage.input_tokens ??= null
  }),
  json("anthropic-messages", "unknown events and deltas", ({ chunk }) =>
    chunk.type === "content_block_delta"
      ? [{ ...chunk, delta: { type: "x_new_delta", a: 1 } }, { type: "x_new" }, chunk]
      : undefined),
  json("anthropic-messages", "text at the start of its block", ({ chunk }) => {
    if (chunk.type === "content_block_start" && chunk.content_block.type === "text") chunk.content_block.text = "Well, "
  }),
  json("anthropic-messages", "null for the finish", ({ chunk }) => {
    if (chunk.type === "message_delta") chunk.delta.stop_reason = null
  }),
  json("anthropic-messages", "calls without ids", ({ chunk }) => {
    if (chunk.content_block?.type === "tool_use") delete chunk.content_block.id
  }),
  json(
    "anthropic-messages",
    "an error in the middle",
    ({ chunk, index }) =>
      index === 1 ? [chunk, { type: "error", error: { type: "overloaded_error", message: "Overloaded" } }] : undefined
  )
]
