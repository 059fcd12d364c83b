/** The entries of a conversation's log and its view, as texts. */
import type * as Prompt from "effect/ai/Prompt"
import { Message } from "effect/ai/Prompt"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import type { Item } from "../compaction/model.ts"
import { Unreadable } from "./errors.ts"

/** Something that was said: a message of the prompt. */
interface Said {
  readonly _tag: "message"
  readonly message: Prompt.Message
}

/** The handler of a tool call may have begun. Durable before it does. */
interface Started {
  readonly _tag: "started"
  readonly call: string
}

export type Entry = Said | Started

/** What stands for the beginning of a log. */
export interface View {
  readonly items: ReadonlyArray<Item>
  /** The calls in it that were started, and have no result. */
  readonly started: ReadonlyArray<string>
  /** How it was made, as the compaction tells it: JSON. */
  readonly steps: ReadonlyArray<unknown>
}

const Stored = Schema.Union([
  Schema.Struct({ _tag: Schema.Literal("message"), message: Message, at: Schema.Number }),
  Schema.Struct({ _tag: Schema.Literal("started"), call: Schema.String, at: Schema.Number })
])
const StoredView = Schema.Struct({
  items: Schema.Array(Schema.Struct({ message: Message, position: Schema.optional(Schema.Number) })),
  started: Schema.Array(Schema.String),
  steps: Schema.Array(Schema.Unknown)
})

const encodeMessage = Schema.encodeUnknownSync(Message)
const decodeEntry = Schema.decodeUnknownResult(Stored)
const decodeView = Schema.decodeUnknownResult(StoredView)

/** JSON has no `undefined`: without these fields, a part could not be read again. */
const required = (key: string, value: unknown): unknown =>
  (key === "result" || key === "params") && value === undefined ? null : value

/** Throws what `JSON.stringify` and the schema throw, if a part holds what JSON cannot. */
const textOf = (message: Prompt.Message): string => JSON.stringify(encodeMessage(message), required)

/** The entry without its time, so that a repeated change is known by its content. */
const bodyOf = (entry: Entry): string =>
  entry._tag === "message"
    ? `"_tag":"message","message":${textOf(entry.message)}`
    : `"_tag":"started","call":${JSON.stringify(entry.call)}`

/** The texts of entries. Throws if a message cannot be written as JSON. */
export const encode = (
  entries: ReadonlyArray<Entry>,
  at: number
): { readonly texts: ReadonlyArray<string>; readonly digest: string } => {
  const bodies = entries.map(bodyOf)
  return { texts: bodies.map((body) => `{"at":${at},${body}}`), digest: digestOf(bodies) }
}

/** Throws if a message cannot be written as JSON. */
export const encodeViewText = ({ items, started, steps }: View): string => {
  const texts = items.map(({ message, position }) =>
    `{${position === undefined ? "" : `"position":${position},`}"message":${textOf(message)}}`
  )
  return `{"items":[${texts.join(",")}],"started":${JSON.stringify(started)},"steps":${JSON.stringify(steps)}}`
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const reasonOf = (error: unknown): string => {
  const [first = ""] = String(error).split("\n")
  return first.slice(0, 200)
}

export const decode = (
  conversation: string,
  position: number,
  text: string
): Result.Result<Entry, Unreadable> =>
  Result.mapError(
    decodeEntry(parse(text)),
    (error) => new Unreadable({ conversation, position, reason: reasonOf(error) })
  )

const cleared: View = { items: [], started: [], steps: [] }

export const decodeViewText = (
  conversation: string,
  upTo: number,
  text: string
): Result.Result<View, Unreadable> =>
  text === ""
    ? Result.succeed(cleared)
    : Result.mapError(
      decodeView(parse(text)),
      (error) => new Unreadable({ conversation, position: upTo, reason: reasonOf(error) })
    )

/** 53 bits of a text's content, by Bryc's cyrb53, and its length: enough to tell two changes under one id apart. */
const digestOf = (texts: ReadonlyArray<string>): string => {
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  let length = 0
  for (const text of texts) {
    for (let index = 0; index <= text.length; index++) {
      // The end of each text counts as a character of its own.
      const unit = index === text.length ? 0x10000 : text.charCodeAt(index)
      high = Math.imul(high ^ unit, 2654435761)
      low = Math.imul(low ^ unit, 1597334677)
    }
    length += text.length
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  return `${length}-${(low >>> 0).toString(16).padStart(8, "0")}${(high >>> 0).toString(16).padStart(8, "0")}`
}
