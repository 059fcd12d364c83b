/** The parameters of requests: which values can work, and how those of one call replace those of its layer. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import type { Extras, Parameters, Reasoning } from "../../ChatRequest.ts"
import type { EmbeddingRequest } from "../../Embedding.ts"
import * as Json from "../json/json.ts"

/** Checks one field. `name` is how an error names it. */
type Check<A> = (name: string, value: A) => unknown

const wrong = (name: string, value: unknown, wanted: string): never => {
  throw OptionCheck.wrong(name, value, wanted)
}

const whole: Check<number> = (name, value) => Number.isSafeInteger(value) || wrong(name, value, "a whole number")
const from = (least: number): Check<number> => (name, value) => OptionCheck.count(name, value, least)
const between = (least: number, most: number): Check<number> => (name, value) =>
  (typeof value === "number" && value >= least && value <= most) ||
  wrong(name, value, `a number from ${least} to ${most}`)
const word: Check<string> = (name, value) =>
  (typeof value === "string" && value.trim() !== "") || wrong(name, value, "a text that is not blank")
const boolean: Check<boolean> = (name, value) => typeof value === "boolean" || wrong(name, value, "true or false")

const texts: Check<ReadonlyArray<string>> = (name, value) =>
  (Array.isArray(value) && value.every((text) => typeof text === "string" && text !== "")) ||
  wrong(name, value, "a list of texts that are not empty")

const reasoningFields: { readonly [field in keyof Reasoning]-?: Check<NonNullable<Reasoning[field]>> } = {
  effort: word,
  budgetTokens: from(0)
}

/** Their values may be secret, so errors do not show them. */
const extras: Check<Extras> = (name, value) =>
  (Json.isObject(value) && Object.values(value).every(Json.isObject)) ||
  wrong(name, typeof value, "an object with one object of fields for each protocol")

type Fields<A> = { readonly [field in keyof A]-?: Check<NonNullable<A[field]>> }

/** Checks the fields that are set. Throws a `RangeError` that names an unknown field or a value that cannot work. */
const checkFields = <A extends object>(name: string, given: A, fields: Fields<A>): A => {
  OptionCheck.fields(name, given, fields)
  for (const field in fields) {
    const value = given[field]
    if (value !== undefined) fields[field](`${name}.${field}`, value as NonNullable<typeof value>)
  }
  return given
}

const fields: Fields<Parameters> = {
  maxOutputTokens: from(1),
  temperature: between(0, 2),
  topP: between(0, 1),
  // Some servers take -1 or 0 for "all".
  topK: from(-1),
  presencePenalty: between(-2, 2),
  frequencyPenalty: between(-2, 2),
  stop: texts,
  seed: whole,
  choices: from(1),
  reasoning: (name, value) => checkFields(name, value, reasoningFields),
  parallelToolCalls: boolean,
  serviceTier: word,
  user: word,
  extras
}

/** Returns the parameters. Throws a `RangeError` that names an unknown field or a value that no provider takes. */
export const check = (name: string, parameters: Parameters): Parameters => checkFields(name, parameters, fields)

/** Fields that every request has of its own, so that extras of the same names would be ignored. */
const taken = ["model", "messages", "input", "stream"]

/** The names of this package's protocols. */
const protocols: ReadonlySet<string> = new Set(["openai-chat", "openai-embeddings", "anthropic-messages"])

/**
 * Checks the extras of a target. Throws a `RangeError` that names one that each request would ignore: of a protocol that is
 * neither the target's nor one of this package's, or a field that each request has of its own.
 */
export const checkExtras = (protocol: string, extras: Extras = {}): void => {
  const known = [...new Set([protocol, ...protocols])]
  for (const name of Object.keys(extras)) {
    if (!known.includes(name)) {
      throw OptionCheck.wrong("parameters.extras", name, `fields under the name of a protocol, ${known.join(", ")}`)
    }
  }
  const field = taken.find((field) => Object.hasOwn(extras[protocol] ?? {}, field))
  if (field === undefined) return
  throw new RangeError(
    `The option \`parameters.extras.${protocol}\` must not have \`${field}\`: each request has its own`
  )
}

type EmbeddingParameters = Pick<EmbeddingRequest, "dimensions" | "user" | "extras">

/** The same for the parameters of embeddings. */
export const checkEmbedding = (name: string, parameters: EmbeddingParameters): EmbeddingParameters =>
  checkFields(name, parameters, { dimensions: from(1), user: word, extras })

const mergedExtras = (outer: Extras, inner: Extras): Extras => {
  const merged: Record<string, Extras[string]> = { ...outer }
  for (const protocol in inner) merged[protocol] = { ...merged[protocol], ...inner[protocol] }
  return merged
}

/** Each field of `inner` replaces that of `outer`. Extras are merged by protocol and field. */
export const merged = (outer: Parameters, inner: Parameters | undefined): Parameters => {
  if (inner === undefined) return outer
  const fields = { ...outer, ...inner }
  return outer.extras === undefined || inner.extras === undefined
    ? fields
    : { ...fields, extras: mergedExtras(outer.extras, inner.extras) }
}
