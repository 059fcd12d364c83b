import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

interface Begun {
  readonly index: number
  readonly id: string
  readonly name: string
}

/** Some servers write the number as a string. */
const numberOf = (index: Json | undefined): number | undefined =>
  From.count(typeof index === "string" && /^\d+$/.test(index) ? Number(index) : index)

/**
 * Finds the tool call of a fragment. OpenAI numbers the calls. Some compatible servers omit the number, and some give all
 * calls the same number. A fragment with a new id and a name always begins a call.
 */
export class ToolCalls {
  private begun = 0
  private last: Begun | undefined
  private readonly calls = new Map<string, Begun>()
  /** The latest call of each number. */
  private readonly numbered = new Map<number, Begun>()

  /** Undefined if the fragment belongs to no call and begins none. */
  find(fragment: JsonObject): { readonly call: Begun; readonly isNew: boolean } | undefined {
    const number = numberOf(fragment["index"])
    const id = From.string(fragment["id"])
    const name = From.string((From.object(fragment["function"]) ?? From.object(fragment["custom"]))?.["name"])
    const current = number === undefined ? this.last : this.numbered.get(number)

    if (current !== undefined && (id === undefined || id === current.id)) {
      const isOther = number === undefined && id === undefined && name !== undefined && name !== current.name
      return isOther ? undefined : { call: current, isNew: false }
    }
    // Fragments of several calls may be mixed. Only their ids distinguish them.
    const known = current === undefined || id === undefined ? undefined : this.calls.get(id)
    if (known !== undefined) return { call: known, isNew: false }
    if (id !== undefined && name !== undefined) return { call: this.begin(number, id, name), isNew: true }
    // A new id without a name is the server's mistake: a new call has a name.
    return current && { call: current, isNew: false }
  }

  private begin(number: number | undefined, id: string, name: string): Begun {
    const call = { index: this.begun++, id, name }
    this.last = call
    this.calls.set(id, call)
    if (number !== undefined) this.numbered.set(number, call)
    return call
  }
}
