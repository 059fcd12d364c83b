import { LLMock } from "@copilotkit/aimock"
import { execFile } from "node:child_process"
import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { env, execPath } from "node:process"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"

// Inside the repository, so that imports resolve as they do in examples; git and the linters ignore `dist`.
const folder = "dist/docs"

/** The provider that the examples call, through the base URLs of the environment. */
const provider = new LLMock({ port: 0, logLevel: "silent", latency: 10 })

const run = async (...args: ReadonlyArray<string>) => {
  const configured = {
    ...env,
    OPENAI_API_KEY: "sk-no-real-key",
    OPENAI_BASE_URL: `${provider.url}/v1`,
    GROQ_API_KEY: "sk-no-real-key",
    GROQ_BASE_URL: `${provider.url}/v1`,
    ANTHROPIC_API_KEY: "sk-no-real-key",
    ANTHROPIC_BASE_URL: provider.url
  }
  await promisify(execFile)(execPath, args, { env: configured, timeout: 100_000, killSignal: "SIGKILL" }).catch((
    error
  ) =>
    assert.fail(`${error.message}\n${error.stdout}${error.killed === true ? "\nStill running after 100 seconds" : ""}`)
  )
}

const fences = globSync(["README.md", "docs/*.md", "packages/*/README.md", "packages/*/src/*.ts"]).toSorted().flatMap(
  (file) => {
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
  }
)

beforeAll(async () => {
  provider.onMessage(/.*/, { content: "Because someone opened them in one step and closed them in none." })
  await provider.start()
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

afterAll(() => provider.stop())

describe("documentation", { timeout: 120_000 }, () => {
  it("has examples", () => {
    assert.isNotEmpty(fences)
  })

  it("compiles", () => run("node_modules/typescript/bin/tsc", "--project", folder))

  it.concurrent.each(fences.filter((_) => _.isRun))(
    "$name runs",
    ({ path }) => run("--conditions=@clawback/source", path)
  )
})
