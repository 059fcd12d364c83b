/**
 * The programs in the documents: each `ts` fence, and each `diff` fence, which is a program before and after a change.
 *
 * - `ts no-run` is only compiled.
 * - A first line such as `// app.ts` names the file, so that other programs of the page can import it.
 * - A `text` fence after the line "It prints:" is what the program above it prints. After a diff, both programs print it.
 */
import { globSync, readFileSync } from "node:fs"
import { join } from "node:path"

export interface Program {
  readonly name: string
  /** In the folder of all programs. */
  readonly path: string
  readonly code: string
  readonly isRun: boolean
  readonly prints: string | undefined
}

/** Programs that end or measure their process, or that nothing waits for, each get a process of their own. */
export const runsAlone = ({ code }: Program): boolean =>
  !/^await /m.test(code) || /\brunMain\b|\bprocess\.|\bLeakCheck\b|\bnode:test\b/.test(code)

const block = /^```(ts|ts no-run|diff)\n(.*?)^```$(?:\n\nIt prints:\n\n```text\n(.*?)^```$)?/gms

/** One side of a diff: its lines that begin with `mark` or with a space. */
const side = (diff: string, mark: string): string =>
  diff.split("\n").filter((line) => line === "" || line.startsWith(" ") || line.startsWith(mark))
    .map((line) => line.slice(1)).join("\n")

const programsIn = (file: string): ReadonlyArray<Program> => {
  const text = readFileSync(file, "utf8")
  const prose = file.endsWith(".ts")
    ? text.match(/^ *\/\*\*.*?\*\//gms)?.join("\n").replace(/^ *\* ?/gm, "") ?? ""
    : text
  const folder = file.replace(/\W/g, "_")
  return [...prose.matchAll(block)].flatMap(([, kind, code = "", prints], i) => {
    const one = (name: string, path: string, code: string): Program => ({
      name: `${file}, example ${i + 1}${name}`,
      path: join(folder, path),
      code,
      isRun: kind !== "ts no-run",
      prints
    })
    if (kind !== "diff") return [one("", /^\/\/ (\w+(?:\.\w+)*\.ts)\n/.exec(code)?.[1] ?? `${i + 1}.ts`, code)]
    return [
      one(", before", `${i + 1}.before.ts`, side(code, "-")),
      one(", after", `${i + 1}.after.ts`, side(code, "+"))
    ]
  })
}

export const programs: ReadonlyArray<Program> = globSync([
  "README.md",
  "docs/**/*.md",
  "packages/*/README.md",
  "packages/*/src/*.ts"
])
  .toSorted().flatMap(programsIn)
