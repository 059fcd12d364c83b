import { RequestInvalid } from "../../Protocol.ts"
import { isObject } from "./json.ts"
import type { Json, JsonObject } from "./model.ts"

/** Reads the fields of a client's request. Throws `RequestInvalid` if a field has the wrong type. */
export class RequestReader {
  private readonly protocol: string

  constructor(protocol: string) {
    this.protocol = protocol
  }

  fail(path: string, detail: string): never {
    throw new RequestInvalid({ protocol: this.protocol, path, detail })
  }

  object(value: Json | undefined, path: string): JsonObject {
    return isObject(value) ? value : this.fail(path, "must be an object")
  }

  array(value: Json | undefined, path: string): ReadonlyArray<Json> {
    return Array.isArray(value) ? value : this.fail(path, "must be an array")
  }

  string(value: Json | undefined, path: string): string {
    return typeof value === "string" ? value : this.fail(path, "must be a string")
  }

  /** Not empty. */
  name(value: Json | undefined, path: string): string {
    return this.string(value, path) || this.fail(path, "must not be empty")
  }

  number(value: Json | undefined, path: string): number {
    return typeof value === "number" && Number.isFinite(value) ? value : this.fail(path, "must be a number")
  }

  /** Zero or more. */
  count(value: Json | undefined, path: string): number {
    const number = this.number(value, path)
    return Number.isSafeInteger(number) && number >= 0
      ? number
      : this.fail(path, "must be a whole number, zero or more")
  }

  boolean(value: Json | undefined, path: string): boolean {
    return typeof value === "boolean" ? value : this.fail(path, "must be true or false")
  }

  /** Undefined if the field is absent or null, else the result of `read`. */
  optional<A>(value: Json | undefined, read: (value: Json) => A): A | undefined {
    return value === undefined || value === null ? undefined : read(value)
  }
}
