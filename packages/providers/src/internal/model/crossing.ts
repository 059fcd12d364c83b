import type { Extras, NativePart, NativeTool, TextPart } from "../../ChatRequest.ts"
import { isObject } from "../json/json.ts"
import type { Json, JsonObject } from "../json/model.ts"
import { foreign, type Lack, type Lacking, lacking, type Place, places, type Rule, unlisted } from "./crossings.ts"
import type { OnDropped } from "./dropped.ts"
import { Unsupported } from "./unsupported.ts"

const none: JsonObject = {}

/** A request chooses the names, so that they may be those of `Object.prototype`. */
const find = <A>(table: Readonly<Record<string, A>> | undefined, name: string): A | undefined =>
  table !== undefined && Object.hasOwn(table, name) ? table[name] : undefined

interface Part {
  readonly type: string
}

const isNative = (part: Part): part is NativePart => part.type === "native"

/** How a native part is named: by its type, else by its first field. */
const nameOf = ({ value }: NativePart): string => {
  const type = value["type"]
  return typeof type === "string" ? type : Object.keys(value)[0] ?? "native"
}

/** The fields of a part that have a rule of their own. Its type and its texts are in what stands in for it. */
const ruled = ({ protocol, value }: NativePart): JsonObject => {
  const rules = find(foreign, protocol)?.content
  return Object.fromEntries(
    Object.entries(value).filter(([name]) => name !== "type" && find(rules, name) !== undefined)
  )
}

/**
 * A request on its way to a server of a protocol. Its encoder asks here for all that may be lost, and so obeys the rules of
 * `crossings.ts`: what is dropped is reported, and what is refused throws `Unsupported`.
 */
export class Crossing<Name extends keyof Lacking> {
  readonly protocol: Name
  private readonly onDropped: OnDropped | undefined
  private reported: Set<string> | undefined

  constructor(protocol: Name, onDropped: OnDropped | undefined) {
    this.protocol = protocol
    this.onDropped = onDropped
  }

  /** The extras of this protocol. Those of others are left. */
  own(extras: Extras | undefined, place: Place): JsonObject {
    if (extras === undefined) return none
    for (const origin in extras) if (origin !== this.protocol) this.leave(origin, extras[origin] ?? none, place)
    return extras[this.protocol] ?? none
  }

  /** The parts of a content, with what stands in for those of other protocols. */
  parts<P extends Part>(content: ReadonlyArray<P>): ReadonlyArray<P | TextPart> {
    return content.some((part) => isNative(part) && part.protocol !== this.protocol)
      ? content.flatMap((part) => isNative(part) ? this.standIn(part) : [part])
      : content
  }

  /** The definition of a tool of this protocol. */
  tool({ definition, protocol }: NativeTool): JsonObject {
    return protocol === this.protocol
      ? definition
      : this.refuse(`a tool that only ${protocol} has (${unlisted.tool.reason})`)
  }

  /** The request has something that this protocol lacks. `detail` says what, where the request is refused for it. */
  lacks(name: keyof Lacking[Name], detail?: string): void {
    const rules: Readonly<Record<PropertyKey, Lack>> = lacking[this.protocol]
    const rule = rules[name]
    if (rule?.choice === "refused") this.refuse(`${detail ?? rule.when ?? rule.field} (${rule.reason})`)
    if (rule?.choice === "dropped") this.drop(rule.field, rule)
  }

  private leave(origin: string, fields: JsonObject, place: Place): void {
    const rules = find(foreign, origin)?.[place]
    const apply = (name: string, rule: Rule | undefined, value: Json) => {
      const field = places[place] + name
      if (rule?.isOff?.(value) === true) return
      if (rule?.choice === "refused") this.refuse(`${field} (${rule.reason})`)
      if (rule?.choice !== "converted") this.drop(field, rule ?? unlisted.field)
    }
    for (const [name, value] of Object.entries(fields)) {
      if (value === null) continue
      let isSettled = false
      if (isObject(value)) {
        const inner = Object.entries(value)
        const ruled = inner.filter(([key]) => find(rules, `${name}.${key}`) !== undefined)
        for (const [key, value] of ruled) apply(`${name}.${key}`, find(rules, `${name}.${key}`), value)
        isSettled = ruled.length > 0 && ruled.length === inner.length
      }
      if (!isSettled) apply(name, find(rules, name), value)
    }
  }

  private standIn<P>(part: P & NativePart): ReadonlyArray<P | TextPart> {
    if (part.protocol === this.protocol) return [part]
    if (part.instead !== undefined) {
      this.leave(part.protocol, ruled(part), "content")
      return part.instead
    }
    const name = nameOf(part)
    const rule = find(find(foreign, part.protocol)?.parts, name)
    if (rule?.choice !== "dropped") {
      return this.refuse(`${name}, a part that only ${part.protocol} has (${unlisted.part.reason})`)
    }
    this.drop(places.content + name, rule)
    return []
  }

  private drop(field: string, { reason }: Pick<Rule, "reason">): void {
    if (this.onDropped === undefined || this.reported?.has(field) === true) return
    this.reported = (this.reported ?? new Set()).add(field)
    this.onDropped({ field, reason })
  }

  /** Throws `Unsupported`. */
  refuse(detail: string): never {
    throw new Unsupported({ protocol: this.protocol, detail })
  }
}

/** An answer on its way to a client. What the client's protocol lacks is left out. */
export class Answer<Name extends keyof Lacking> extends Crossing<Name> {
  constructor(protocol: Name) {
    super(protocol, undefined)
  }

  override own(extras: Extras | undefined): JsonObject {
    return extras?.[this.protocol] ?? none
  }

  override parts<P extends Part>(content: ReadonlyArray<P>): ReadonlyArray<P> {
    return content.filter((part) => !isNative(part) || part.protocol === this.protocol)
  }

  override lacks(): void {}
}
