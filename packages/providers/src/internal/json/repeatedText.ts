/**
 * Reads JSON texts that differ from a learned one in one string only, without parsing them.
 *
 * Why it is sound: cut a JSON text just inside the quotes of one string value, into `head + content + tail`. With any other
 * valid content, it is the same JSON with another string in that place. `learn` proves which place it is: it parses the text
 * once more with another content. If a later text differs in `head` or `tail`, `read` returns undefined, and the caller
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

/** After so many learned texts without a repetition, `learn` does nothing more. */
const mostUnused = 4

export class RepeatedText {
  private isKnown = false
  private head = ""
  /** The text between the content and the padding. Undefined without padding. */
  private middle: string | undefined
  private tail = ""
  private unused = 0
  private readonly padding: string | undefined

  /** `padding`: the name of a field of the outermost object. */
  constructor(padding: string | undefined) {
    this.padding = padding
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

  /** Learns a text that has a string at the path. */
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

  /** Proves that the holes are the strings at the paths: changes the content of each, parses, and compares. */
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
