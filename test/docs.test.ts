import { execFile } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { execPath } from "node:process"
import { promisify } from "node:util"
import { assert, beforeAll, describe, it } from "vitest"

// Inside the repository, so that imports resolve as they do in examples; git and the linters ignore `dist`.
const folder = "dist/docs"

const run = async (...args: ReadonlyArray<string>) => {
  await promisify(execFile)(execPath, args, { timeout: 20_000, killSignal: "SIGKILL" }).catch((error) =>
    assert.fail(`${error.message}\n${error.stdout}${error.killed === true ? "\nStill running after 20 seconds" : ""}`)
  )
}

const fences = globSync(["README.md", "packages/*/README.md", "packages/*/src/*.ts"]).toSorted().flatMap((file) => {
  const text = readFileSync(file, "utf8")
  const prose = file.endsWith(".ts")
    ? text.match(/^ *\/\*\*.*?\*\//gms)?.join("\n").replace(/^ *\* ?/gm, "") ?? ""
    : text
  return [...prose.matchAll(/^```ts( no-run)?\n(.*?)^```$/gms)].map(([, noRun, code = ""], i) => ({
    name: `${file}, example ${i + 1}`,
    path: join(folder, `${file.replace(/\W/g, "_")}_${i + 1}.ts`),
    code,
    isRun: noRun === undefined
  }))
})

beforeAll(() => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  for (const { code, path } of fences) writeFileSync(path, `${code}\nexport {}\n`)
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.check.json",
      compilerOptions: { composite: false, declarationMap: false, incremental: false, rootDir: "../.." },
      include: ["*.ts"],
      references: []
    })
  )
})

describe("documentation", { timeout: 30_000 }, () => {
  it("has examples", () => {
    assert.isNotEmpty(fences)
  })

  it("compiles", () => run("node_modules/typescript/bin/tsc", "--project", folder))

  it.concurrent.each(fences.filter((_) => _.isRun))(
    "$name runs",
    ({ path }) => run("--conditions=@clawback/source", path)
  )
})
