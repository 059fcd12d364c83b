import type { Json, JsonObject } from "../../../Json.ts"
import { RequestReader } from "../../json/requestReader.ts"
import { protocol } from "./extras.ts"

type Value = Json | undefined

const reader = new RequestReader(protocol)

/** The path of a field or an element. */
export const at = (path: string, key: string | number): string =>
  typeof key === "number" ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`

export const malformed = (path: string, detail: string): never => reader.fail(path, detail)

export const object = (value: Value, path: string): JsonObject => reader.object(value, path)

export const array = (value: Value, path: string): ReadonlyArray<Json> => reader.array(value, path)

/** A string, which may be empty. */
export const text = (value: Value, path: string): string => reader.string(value, path)

/** A string that is not empty. */
export const name = (value: Value, path: string): string => reader.name(value, path)

export const number = (value: Value, path: string): number => reader.number(value, path)

export const count = (value: Value, path: string): number => reader.count(value, path)

export const boolean = (value: Value, path: string): boolean => reader.boolean(value, path)

/** A field that may be missing or null. */
export const optional = <A>(
  from: JsonObject,
  key: string,
  path: string,
  read: (value: Json, path: string) => A
): A | undefined => reader.optional(from[key], (value) => read(value, at(path, key)))
