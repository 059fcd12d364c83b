/** The ids of the newest appends as one text: id, digest and position with tabs between them, each on a line of its own. */
import type { Operation } from "./stored.ts"

/** Ids may have any characters, but in the list of operations they are between tabs. */
export const encodeWord = (id: string): string => /^[\w.:-]+$/.test(id) ? id : encodeURIComponent(id.toWellFormed())

/** Begins with an empty line, so that an id is found between a line's end and a tab. */
export const operationsText = (operations: ReadonlyArray<Operation>): string =>
  `\n${operations.map((_) => `${encodeWord(_.id)}\t${encodeWord(_.digest)}\t${_.position}\n`).join("")}`

export const operationsOf = (lines: string): ReadonlyArray<Operation> =>
  lines.split("\n").filter((line) => line !== "").map((line) => {
    const [id = "", digest = "", position = "0"] = line.split("\t")
    return { id: decodeURIComponent(id), digest: decodeURIComponent(digest), position: Number(position) }
  })
