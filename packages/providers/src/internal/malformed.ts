import * as Result from "effect/Result"
import type { Json, JsonObject } from "../Json.ts"
import * as From from "./json.ts"

/**
 * JSON that is not of the shape that it must have: where, and what is wrong with it. Readers throw it, since they are deep
 * in what they read, and `read` gives it back as a value.
 */
export class Malformed extends Error {
  readonly path: string
  readonly detail: string

  constructor(path: string, detail: string) {
    super(path === "" ? `it ${detail}` : `${path} ${detail}`)
    this.path = path
    this.detail = detail
  }
}

export const malformed = (path: string, detail: string): never => {
  throw new Malformed(path, detail)
}

export const read = <A>(reader: () => A): Result.Result<A, Malformed> =>
  Result.try({
    try: reader,
    catch: (cause) => {
      if (cause instanceof Malformed) return cause
      throw cause
    }
  })

/** The place of a field or an element below a place. */
export const at = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`

/** What was parsed is JSON all the way down. */
export const object = (value: unknown, path: string): JsonObject =>
  From.isObject(value) ? value as JsonObject : malformed(path, "must be an object")

export const array = (value: unknown, path: string): ReadonlyArray<Json> =>
  Array.isArray(value) ? value as ReadonlyArray<Json> : malformed(path, "must be an array")

/** A string, which may be empty. */
export const text = (value: unknown, path: string): string =>
  typeof value === "string" ? value : malformed(path, "must be a string")

/** A string that says something. */
export const name = (value: unknown, path: string): string =>
  text(value, path) === "" ? malformed(path, "must not be empty") : text(value, path)

export const number = (value: unknown, path: string): number =>
  typeof value === "number" && Number.isFinite(value) ? value : malformed(path, "must be a number")

export const count = (value: unknown, path: string): number =>
  From.count(value) ?? malformed(path, "must be a whole number, zero or more")

export const boolean = (value: unknown, path: string): boolean =>
  typeof value === "boolean" ? value : malformed(path, "must be true or false")

/** A field that may be missing or null. */
export const optional = <A>(
  from: JsonObject,
  key: string,
  path: string,
  reader: (value: unknown, path: string) => A
): A | undefined => {
  const value = from[key]
  return value === undefined || value === null ? undefined : reader(value, at(path, key))
}
