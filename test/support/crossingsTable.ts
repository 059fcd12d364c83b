/** The table of what becomes of a request's fields at providers of other protocols, as the encoders obey it. */
import {
  foreign,
  type Lack,
  lacking,
  places,
  type Rule,
  unlisted
} from "../../packages/providers/src/internal/model/crossings.ts"

type Row = readonly [field: string, of: string, to: string, what: string, how: string]

const code = (text: string): string => `\`${text}\``

const isPlace = (place: string): place is keyof typeof places => place in places

const row = (field: string, of: string, to: string, { choice, reason }: Rule): Row => [field, of, to, choice, reason]

const foreignRows = Object.entries(foreign).flatMap(([of, protocol]) =>
  Object.entries(protocol).flatMap(([place, rules]) =>
    Object.entries(rules).map(([name, rule]) =>
      row(
        isPlace(place) ? code(places[place] + name) : `a part ${code(name)}${name === "document" ? " of texts" : ""}`,
        code(of),
        "others",
        rule
      )
    )
  )
)

const unlistedRows = [
  row("another field", "each", "others", unlisted.field),
  row("another part, such as `server_tool_use` and its result", "each", "others", unlisted.part),
  row("a tool of the provider's own, and one without a schema", "each", "others", unlisted.tool)
]

const lackingRows = Object.entries<Readonly<Record<string, Lack>>>(lacking).flatMap(([to, rules]) =>
  Object.values(rules).map((rule) =>
    row(rule.when === undefined ? code(rule.field) : `${code(rule.field)}: ${rule.when}`, "each", code(to), rule)
  )
)

const head: Row = ["field", "of", "to", "what becomes of it", "into what, or why"]

/** Markdown, with columns of one width. */
export const crossingsTable = (): string => {
  const rows = [head, ...foreignRows, ...unlistedRows, ...lackingRows]
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.slice(1).map(line)].join("\n")
}

/** Where the table stands in its page. */
export const placeOfTable = /^\| field .*?(?=\n\n|\n$)/ms
