import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"
import { madeUpId } from "../../model/madeUpId.ts"
import type { protocol } from "./extras.ts"

/** The arguments of a tool call: JSON in a string, or an object (Mistral's types). Undefined: there are none; null: neither. */
export const argumentsText = (value: Json | undefined): string | null | undefined => {
  if (value === undefined || value === null) return undefined
  return typeof value === "string" ? value : From.isObject(value) ? JSON.stringify(value) : null
}

interface Details {
  readonly name: string | undefined
  /** The arguments, or the input of a tool without a schema. Undefined if there are none; null if they are not valid. */
  readonly text: string | null | undefined
}

/** The name and the arguments of a call, or of a fragment of one. Snowflake sends an empty `custom` beside `function`. */
export const detailsOf = (call: JsonObject): Details => {
  if (isCustom(call)) {
    const custom = From.object(call["custom"])
    return { name: From.string(custom?.["name"]), text: From.string(custom?.["input"]) }
  }
  const details = From.object(call["function"])
  return { name: From.string(details?.["name"]), text: argumentsText(details?.["arguments"]) }
}

/** Whether it calls a tool without a schema. */
const isCustom = (call: JsonObject): boolean => {
  const custom = From.object(call["custom"])
  return From.string(custom?.["name"]) !== undefined || From.string(custom?.["input"]) !== undefined
}

/** The type of a call in its old form, `function_call`. OpenAI's servers have no such type. */
export const legacyType = "function_call"

/** A call in its old form, which has no id, as one of today's. Undefined if there is none: Snowflake sends an empty one. */
export const legacyCall = (message: JsonObject): JsonObject | undefined => {
  const details = From.object(message["function_call"])
  if (details === undefined || (details["name"] || details["arguments"] || "") === "") return undefined
  return { index: 0, type: legacyType, function: details }
}

const knownInCall: ReadonlySet<string> = new Set(["index", "id", "function", "custom"])

/** The other fields of a call: a signature that the provider wants back, or the type of a tool without a schema. */
export const callExtras = (call: JsonObject): { readonly extras?: { readonly [protocol]: JsonObject } } => {
  const { type, ...rest } = From.others(call, knownInCall) ?? {}
  const kind = type ?? (isCustom(call) ? "custom" : "function")
  const extras: JsonObject = kind === "function" ? rest : { ...rest, type: kind }
  return Object.keys(extras).length === 0 ? {} : { extras: { "openai-chat": extras } }
}

interface Begun {
  readonly index: number
  readonly id: string
  readonly name: string
  /** Whether the server sent no id. */
  readonly isMadeUp: boolean
}

interface Found {
  readonly call: Begun
  readonly isNew: boolean
}

/** Some servers write the number as a string. */
const numberOf = (index: Json | undefined): number | undefined =>
  From.count(typeof index === "string" && /^\d+$/.test(index) ? Number(index) : index)

/**
 * Finds the tool call of a fragment. OpenAI numbers the calls. Some compatible servers omit the number, and some give all
 * calls the same number. A fragment with a new id and a name always begins a call. Without numbers and ids, each name does.
 */
export class ToolCalls {
  private readonly choice: number
  private begun = 0
  private last: Begun | undefined
  private readonly calls = new Map<string, Begun>()
  /** The latest call of each number. */
  private readonly numbered = new Map<number, Begun>()

  /** `choice` is the number of the answer that makes the calls. */
  constructor(choice: number) {
    this.choice = choice
  }

  /** Undefined if the fragment belongs to no call and begins none. `response` is the id of the whole answer. */
  find(response: string, fragment: JsonObject, name: string | undefined): Found | undefined {
    const number = numberOf(fragment["index"])
    const id = From.string(fragment["id"])
    const current = number === undefined ? this.last : this.numbered.get(number)

    if (current !== undefined && (id === undefined || id === current.id)) {
      const begins = number === undefined && id === undefined && name !== undefined &&
        (current.isMadeUp || name !== current.name)
      return begins ? this.begin(response, number, id, name) : { call: current, isNew: false }
    }
    // Fragments of several calls may be mixed. Only their ids distinguish them.
    const known = current === undefined || id === undefined ? undefined : this.calls.get(id)
    if (known !== undefined) return { call: known, isNew: false }
    if (name !== undefined) return this.begin(response, number, id, name)
    // A new id without a name is the server's mistake: a new call has a name.
    return current && { call: current, isNew: false }
  }

  private begin(response: string, number: number | undefined, id: string | undefined, name: string): Found {
    const index = this.begun++
    const isMadeUp = id === undefined
    const call = { index, id: id ?? madeUpId(response, this.choice, index), name, isMadeUp }
    this.last = call
    this.calls.set(call.id, call)
    if (number !== undefined) this.numbered.set(number, call)
    return { call, isNew: true }
  }
}
