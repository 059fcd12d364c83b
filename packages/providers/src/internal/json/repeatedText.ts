/**
 * Reads JSON texts that differ from a learned one in one string only, without parsing them.
 *
 * Why it is sound: cut a JSON text just inside the quotes of one string value, into `head + content + tail`. With any other
 * valid content, it is the same JSON with another string in that place. `learn` proves which place it is: it parses the text
 * with another content, and compares. If a later text differs in `head` or `tail`, `read` returns undefined, and the caller
 * parses it.
 *
 * A second string may differ too: padding, with which a server hides the length of its texts.
 */
import { parse } from "./json.ts"
import type { Json, JsonObject } from "./model.ts"

/** The place of a value: names of fields and numbers of items, outermost first. */
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

/** The content of the first string field of this name, from a position on. */
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

/** The content has no quote, escape or control character, so that it is the string itself. */
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

/** V8 copies slices up to this length. A longer slice would keep the whole text in memory. */
const longestCopy = 12

/** Decodes the content of a JSON string. Undefined if it is not valid. */
const stringOf = (content: string): string | undefined => {
  if (content.length <= longestCopy && isPlain(content)) return content
  try {
    return JSON.parse(`"${content}"`)
  } catch {
    return undefined
  }
}

/** Learning takes about as long as parsing. After so many learned texts without a repetition, it is rarely worth it. */
const mostUnused = 4
/** Then only one of so many texts is learned, since the texts of a stream may change their form. */
const pause = 32

/** In the other value, the strings at the paths end with an `x` more: so these are the strings that were changed. */
const isProven = (value: Json, other: Json | undefined, paths: ReadonlyArray<Path>): boolean =>
  paths.every((path) => {
    const before = valueAt(value, path)
    return typeof before === "string" && valueAt(other, path) === `${before}x`
  })

export class RepeatedText {
  private isKnown = false
  private head = ""
  /** The text between the content and the padding. Undefined without padding. */
  private middle: string | undefined
  private tail = ""
  private unused = 0
  private readonly paddings: ReadonlyArray<string>

  /** `paddings`: names of fields of the outermost object. A text has at most one of them. */
  constructor(paddings: ReadonlyArray<string>) {
    this.paddings = paddings
  }

  /** The string of a text that repeats the learned one. Undefined if it does not repeat it: parse it then. */
  read(text: string): string | undefined {
    if (!this.isKnown) return undefined
    const { head, middle, tail } = this
    const end = text.length - tail.length
    // V8 compares slices faster than `startsWith` and `endsWith` do.
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

  /** Whether the next text is worth learning. Call it once for each text that could be learned. */
  isDue(): boolean {
    this.unused++
    return this.unused <= mostUnused || this.unused % pause === 0
  }

  /** Learns a text, whose JSON is `value`, and has a string at the path. */
  learn(text: string, value: Json, path: Path): void {
    const field = path.at(-1)
    if (typeof field !== "string") return
    const hole = holeOf(text, field, 0)
    if (hole === undefined) return
    const name = this.paddings.find((padding) => holeOf(text, padding, hole.to) !== undefined)
    const padding = name === undefined ? undefined : holeOf(text, name, hole.to)
    this.head = text.slice(0, hole.from)
    this.middle = padding && text.slice(hole.to, padding.from)
    this.tail = text.slice(padding === undefined ? hole.to : padding.to)
    const padded = padding === undefined ? "" : `${text.slice(hole.to, padding.to)}x`
    const other = parse(`${text.slice(0, hole.to)}x${padded}${this.tail}`)
    this.isKnown = isProven(value, other, name === undefined ? [path] : [path, [name]])
  }
}
