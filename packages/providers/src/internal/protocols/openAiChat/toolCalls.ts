import type { Json, JsonObject } from "../../../Json.ts"
import * as From from "../../json/json.ts"

interface Begun {
  readonly index: number
  readonly id: string
  readonly name: string
}

/** Some servers write it as a text. */
const numberOf = (index: Json | undefined): number | undefined =>
  From.count(typeof index === "string" && /^\d+$/.test(index) ? Number(index) : index)

/**
 * Tells which tool call a fragment belongs to. OpenAI numbers the calls; of the compatible servers some leave the number
 * out, and some give every call the same one. A fragment with a new id and a name begins a call in any case.
 */
export class ToolCalls {
  private begun = 0
  private last: Begun | undefined
  private readonly calls = new Map<string, Begun>()
  /** The call that was begun last under each number. */
  private readonly numbered = new Map<number, Begun>()

  /** Undefined where the fragment belongs to no call and begins none. */
  find(fragment: JsonObject): { readonly call: Begun; readonly isNew: boolean } | undefined {
    const number = numberOf(fragment["index"])
    const id = From.string(fragment["id"])
    const name = From.string((From.object(fragment["function"]) ?? From.object(fragment["custom"]))?.["name"])
    const current = number === undefined ? this.last : this.numbered.get(number)

    if (current !== undefined && (id === undefined || id === current.id)) {
      const isOther = number === undefined && id === undefined && name !== undefined && name !== current.name
      return isOther ? undefined : { call: current, isNew: false }
    }
    // Fragments of two calls come mixed, and only their ids tell them apart.
    const known = current === undefined || id === undefined ? undefined : this.calls.get(id)
    if (known !== undefined) return { call: known, isNew: false }
    if (id !== undefined && name !== undefined) return { call: this.begin(number, id, name), isNew: true }
    // An id that changes from one fragment to the next is the server's mistake: a call that begins has a name.
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
