/** The leaks as a tree: each one under what it belongs to. */
import * as ReadableError from "@clawback/core/ReadableError"
import * as Schema from "effect/Schema"

/** One leak. */
export class Leak extends Schema.Class<Leak>("@clawback/testing/Leak")({
  kind: Schema.Literals(["session", "fiber", "socket", "descriptor"]),
  /** Its name in the report. */
  id: Schema.String,
  /**
   * The id of the leak that it belongs to. For a session: its parent. For a fiber: the one that forked it. For a socket: the
   * session or fiber that opened it, or the other end of its connection.
   */
  parent: Schema.UndefinedOr(Schema.String),
  /** Which one: kind, name and id of a session, id of a fiber, state and ports of a socket, target of a descriptor. */
  what: Schema.String,
  /** Lines of the user's code, then functions and spans; empty if none is known. */
  where: Schema.Array(Schema.String)
}) {}

/** The advice if no line of the user's code is known. */
const hint = ({ kind, what }: Leak): string => {
  const unknown = "no line of your code is known: "
  if (kind === "session" || kind === "fiber") {
    return `${unknown}write the function around it with Effect.fn("name"), or as a generator`
  }
  if (kind === "socket") return `${unknown}another thread or a native library opened it, \`ss -tnp\` shows its peer`
  return unknown + (/, [a-z]+:\[\d+\]$/.test(what)
    ? "a thread (`new Worker`) or a native library opened it"
    : "search for its path, and open it by node:fs/promises to see the line")
}

/**
 * Lists a parent before its children, and these in their given order. An ignored leak is left out with all that is under it.
 */
export const ordered = (leaks: ReadonlyArray<Leak>, ignore: (leak: Leak) => boolean): ReadonlyArray<Leak> => {
  const children = Map.groupBy(leaks, ({ parent }) => parent)
  const sorted: Array<Leak> = []
  const walk = (parent: string | undefined) => {
    for (const leak of children.get(parent) ?? []) {
      if (ignore(leak)) continue
      sorted.push(leak)
      walk(leak.id)
    }
  }
  walk(undefined)
  return sorted
}

const placeIn = (line: string) => line.replace(/^(?:forked|waits) /, "")

/** Lines that are shown at the parent are not repeated. */
const tree = (leaks: ReadonlyArray<Leak>): ReadonlyArray<string> => {
  const lines: Array<string> = []
  const add = (parent: string | undefined, above: ReadonlySet<string>, indent: string) => {
    for (const leak of leaks) {
      if (leak.parent !== parent) continue
      lines.push(`${indent}${leak.kind} ${leak.what}`)
      const where = leak.where.length > 0 || parent !== undefined ? leak.where : [hint(leak)]
      for (const line of where) if (!above.has(placeIn(line))) lines.push(`${indent}    ${line}`)
      add(leak.id, new Set([...above].concat(where.map(placeIn))), `${indent}  `)
    }
  }
  add(undefined, new Set(), "")
  return lines
}

/** The program ended and left these. */
export class LeaksFound extends ReadableError.tagged<LeaksFound>("@clawback/testing/LeaksFound")("LeaksFound", {
  /** Each after its parent. */
  leaks: Schema.Array(Leak)
}) {
  override get message() {
    return `${this.leaks.length} left behind. Release each where it was acquired, or in a scope around that:\n${
      tree(this.leaks).join("\n")
    }`
  }
}
