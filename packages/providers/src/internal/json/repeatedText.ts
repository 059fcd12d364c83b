/**
 * Reads JSON texts that repeat the one before but for one string, without parsing them.
 *
 * Why that is sound: a JSON text is `head + string + tail`, cut just inside the quotes of one string value. With any other
 * valid content between the quotes it is the same JSON with another string in the same place. Which place that is, `learn`
 * finds out by parsing the text once more with another string. A text that differs in one byte of `head` or `tail` is none
 * of these, and must be parsed.
 *
 * A second string may differ as well: padding, by which a server hides how long its texts are.
 */
import type { Json, JsonObject } from "../../Json.ts"
import { parse } from "./json.ts"

/** Where a value stands: the names of fields and the numbers of items, from the outside. */
export type Path = ReadonlyArray<string | number>

export const valueAt = (value: Json | undefined, path: Path): Json | undefined => {
  let found = value
  for (const key of path) found = (found as JsonObject | null | undefined)?.[key]
  return found
}

interface Hole {
  readonly from: number
  readonly to: number
}

/** Where the content of the string stands that is the first value of this name, after a place in the text. */
const holeOf = (text: string, name: string, after: number): Hole | undefined => {
  const key = `"${name}":`
  const at = text.indexOf(key, after)
  if (at < 0) return undefined
  const from = at + key.length + (text[at + key.length] === " " ? 2 : 1)
  if (text[from - 1] !== "\"") return undefined
  for (let to = from; to < text.length; to++) {
    if (text[to] === "\\") to++
    else if (text[to] === "\"") return { from, to }
  }
  return undefined
}

/** Whether each letter stands for itself between the quotes of a string. */
const isPlain = (content: string): boolean => {
  for (let at = 0; at < content.length; at++) {
    const letter = content.charCodeAt(at)
    if (letter < space || letter === quote || letter === backslash) return false
  }
  return true
}

const space = 32
const quote = 34
const backslash = 92

/** Of a shorter piece, V8 makes a copy. A longer one would keep alive all of the text that it is a piece of. */
const longestCopy = 12

/** The string that has this content between its quotes. Undefined if no string has. */
const stringOf = (content: string): string | undefined => {
  if (content.length <= longestCopy && isPlain(content)) return content
  try {
    return JSON.parse(`"${content}"`)
  } catch {
    return undefined
  }
}

/** Texts that were learnt in a row without being repeated. Then the server does not repeat its texts. */
const mostUnused = 4

export class RepeatedText {
  private isKnown = false
  private head = ""
  /** What stands between the string and the padding. */
  private middle: string | undefined
  private tail = ""
  private unused = 0
  private readonly padding: string | undefined

  /** `padding` is the name of a field of the outermost object. */
  constructor(padding: string | undefined) {
    this.padding = padding
  }

  /** The string of a text that is like the one that was learnt. Undefined if it is another: then it must be parsed. */
  read(text: string): string | undefined {
    if (!this.isKnown) return undefined
    const { head, middle, tail } = this
    const end = text.length - tail.length
    // Not `startsWith` and `endsWith`, which V8 does letter by letter.
    if (end < head.length || text.slice(0, head.length) !== head || text.slice(end) !== tail) return undefined
    const to = middle === undefined ? end : text.indexOf(middle, head.length)
    if (middle !== undefined) {
      const padding = to + middle.length
      if (to < 0 || padding > end || !isPlain(text.slice(padding, end))) return undefined
    }
    const found = stringOf(text.slice(head.length, to))
    if (found !== undefined) this.unused = 0
    return found
  }

  forget(): void {
    this.isKnown = false
  }

  /** Learns a text, which has a string at the path. */
  learn(text: string, path: Path): void {
    const name = path.at(-1)
    if (this.unused >= mostUnused || typeof name !== "string") return
    this.unused++
    const hole = holeOf(text, name, 0)
    if (hole === undefined) return
    const padding = this.padding === undefined ? undefined : holeOf(text, this.padding, hole.to)
    this.head = text.slice(0, hole.from)
    this.middle = padding && text.slice(hole.to, padding.from)
    this.tail = text.slice(padding === undefined ? hole.to : padding.to)
    this.isKnown = this.isProven(text, hole, padding, path)
  }

  /** Whether the strings that may differ are those that are meant: each is changed by a letter, and looked for. */
  private isProven(text: string, hole: Hole, padding: Hole | undefined, path: Path): boolean {
    const from = parse(text)
    const probed = parse(
      `${text.slice(0, hole.to)}x${padding === undefined ? "" : `${text.slice(hole.to, padding.to)}x`}${this.tail}`
    )
    const isChanged = (path: Path): boolean => {
      const before = valueAt(from, path)
      return typeof before === "string" && valueAt(probed, path) === `${before}x`
    }
    return isChanged(path) && (this.padding === undefined || padding === undefined || isChanged([this.padding]))
  }
}
