/** The page of all rows and what they have, as `docs/provider-table.md`. */
import { Provider, type RateLimit } from "@clawback/providers"
import * as Program from "./oneProgram.ts"
import type { Faces } from "./rows.ts"

interface Abilities {
  readonly tools: Program.Outcome
  readonly forced: Program.Outcome
  readonly object: Program.Outcome
  readonly image: Program.Outcome
  readonly limits: ReadonlyArray<RateLimit.RateLimit>
}

/** A table, with its columns aligned as the formatter does. */
const aligned = (lines: ReadonlyArray<ReadonlyArray<string>>): string => {
  const [head = []] = lines
  const widths = head.map((_, at) => Math.max(3, ...lines.map((line) => line[at]?.length ?? 0)))
  const row = (cells: ReadonlyArray<string>) =>
    `| ${cells.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`
  const [first = "", ...others] = lines.map(row)
  return [first, row(widths.map((width) => "-".repeat(width))), ...others].join("\n")
}

const formats = {
  json_schema: "yes",
  json_object: "told",
  json_object_schema: "yes"
} as const

/** How an object is asked for: by a schema, or by words. */
const objectOf = ({ chat }: Provider.ChatRow, outcome: Program.Outcome): string => {
  if (outcome === "no") return "no"
  const quirks = (chat as { readonly quirks?: { readonly formats?: keyof typeof formats } }).quirks
  return formats[quirks?.formats ?? "json_schema"]
}

/** Whether a call can be forced: at some vendors only where the model does not think. */
const forcedOf = ({ chat }: Provider.ChatRow, outcome: Program.Outcome): string => {
  const quirks = (chat as { readonly quirks?: { readonly unsupported?: ReadonlyArray<string> } }).quirks
  return quirks?.unsupported?.includes("forced tools while thinking") === true ? `${outcome}, not thinking` : outcome
}

const limitsOf = (limits: ReadonlyArray<RateLimit.RateLimit>): string =>
  limits.length === 0 ? "–" : limits.map(({ dimension }) => dimension).join(", ")

const code = (text: string) => `\`${text}\``

export const table = (
  rows: ReadonlyArray<readonly [string, Faces]>,
  found: ReadonlyMap<string, Abilities>,
  ownErrors: (row: Provider.Row) => number
): string => {
  const abilities = rows.map(([name, { embeddingLayer, provider }]) => {
    const abilities = found.get(name)
    if (abilities === undefined) return [code(name)]
    const { forced, image, limits, object, tools } = abilities
    return [
      code(name),
      "yes",
      "yes",
      tools,
      forcedOf(provider, forced),
      objectOf(provider, object),
      image,
      embeddingLayer === undefined ? "no" : "yes",
      limitsOf(limits),
      `${Program.errors.length}`,
      `${ownErrors(provider)}`,
      `${Program.phases.length}`
    ]
  })
  const places = rows.map(([name, { provider }]) => [
    code(name),
    provider.baseUrl === undefined ? "your own" : code(provider.baseUrl),
    code(provider.credential?.name ?? Provider.apiKeyName(provider)),
    code(Provider.baseUrlName(provider))
  ])
  return `# Table of providers

Made by a test: one Effect program runs unchanged on every row, against a \`FaultyProvider\` that speaks the row's dialect. The
sources of each fact are in the row: \`Groq.provider.sources\`.

Each module is imported by its own path, \`@clawback/providers/Groq\`, and loads no other provider. \`X.anthropic\` is the row of
the same vendor for Anthropic's protocol.

## Abilities

What a provider lacks fails with \`Unsupported\`, before anything is sent. A model may still lack what its provider has. For
\`X.anthropic\`, the table says what the protocol has: its vendor may serve less of it.

- text, stream: with reasoning and usage.
- tools, forced: a tool choice of \`auto\`, and one that forces a call. \`not thinking\` where the vendor rejects it from a model
  that thinks. Moonshot's older models reject it too.
- object: \`yes\` where the server gets the schema, \`told\` where the model reads it in the system message.
- image: as input. embeddings: vectors of texts.
- limits: the limits that are read from headers.
- errors: how many classes of errors were told apart. own: how many errors the tests have in the words of this provider.
- aborts: in how many phases a call was given up, and nothing of it was left: ${Program.phases.join(", ")}.

${
    aligned([
      [
        "module",
        "text",
        "stream",
        "tools",
        "forced",
        "object",
        "image",
        "embeddings",
        "limits",
        "errors",
        "own",
        "aborts"
      ],
      ...abilities
    ])
  }

## Addresses and keys

The names are those in the application's configuration, by default the environment. The option \`baseUrl\` comes first.

${aligned([["module", "base URL", "key", "other base URL"], ...places])}
`
}
