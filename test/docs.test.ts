/** Compiles and runs the programs in the documents, and compares what they print with what the page says. */
import { LLMock } from "@copilotkit/aimock"
import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { env, execPath } from "node:process"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { programs, runsAlone } from "./support/fences.ts"

// Inside the repository, so that imports resolve as they do in examples; git and the linters ignore `dist`.
const folder = "dist/docs"

/** The provider that the examples call, through the base URLs of the environment. */
const provider = new LLMock({ port: 0, logLevel: "silent", latency: 10 })

const run = async (...args: ReadonlyArray<string>): Promise<string> => {
  const configured = {
    ...env,
    OPENAI_API_KEY: "sk-no-real-key",
    OPENAI_BASE_URL: `${provider.url}/v1`,
    GROQ_API_KEY: "sk-no-real-key",
    GROQ_BASE_URL: `${provider.url}/v1`,
    SCALEWAY_API_KEY: "sk-no-real-key",
    SCALEWAY_BASE_URL: `${provider.url}/v1`,
    ANTHROPIC_API_KEY: "sk-no-real-key",
    ANTHROPIC_BASE_URL: provider.url
  }
  const options = { env: configured, timeout: 100_000, killSignal: "SIGKILL", maxBuffer: 16 * 1024 * 1024 } as const
  return await promisify(execFile)(execPath, args, options).then(
    ({ stdout }) => stdout,
    (error) =>
      assert.fail(
        `${error.message}\n${error.stdout}${error.killed === true ? "\nStill running after 100 seconds" : ""}`
      )
  )
}

interface Ended {
  readonly file: string
  readonly printed: string
  readonly error?: string
}

const alone = programs.filter((program) => program.isRun && runsAlone(program))
const together = programs.filter((program) => program.isRun && !runsAlone(program))
let ended: Promise<ReadonlyMap<string, Ended>>

beforeAll(async () => {
  provider.onMessage(/.*/, { content: "Because someone opened them in one step and closed them in none." })
  await provider.start()
  rmSync(folder, { recursive: true, force: true })
  for (const { code, path } of programs) {
    mkdirSync(dirname(join(folder, path)), { recursive: true })
    writeFileSync(join(folder, path), `${code}\nexport {}\n`)
  }
  writeFileSync(
    join(folder, "tsconfig.json"),
    JSON.stringify({
      extends: "../../tsconfig.check.json",
      compilerOptions: { composite: false, declarationMap: false, incremental: false, rootDir: "../.." },
      include: ["**/*.ts"],
      references: []
    })
  )
  const files = together.map(({ path }) => join(folder, path))
  ended = run("--conditions=@clawback/source", "test/support/fencesProgram.ts", ...files).then((lines) =>
    new Map(
      lines.trimEnd().split("\n").map((line): [string, Ended] => {
        const one: Ended = JSON.parse(line)
        return [one.file, one]
      })
    )
  )
  // Each test below reports it.
  ended.catch(() => {})
})

afterAll(() => provider.stop())

describe("documentation", { timeout: 120_000 }, () => {
  it("has examples", () => {
    assert.isNotEmpty(alone)
    assert.isNotEmpty(together)
  })

  it.concurrent("compiles", async () => void await run("node_modules/typescript/bin/tsc", "--project", folder))

  it.concurrent.each(together)("$name runs", async ({ path, prints }) => {
    const one = (await ended).get(join(folder, path))
    assert.isUndefined(one?.error)
    if (prints !== undefined) assert.strictEqual(one?.printed, prints)
  })

  it.concurrent.each(alone)("$name runs", async ({ path, prints }) => {
    const printed = await run("--conditions=@clawback/source", join(folder, path))
    if (prints !== undefined) assert.strictEqual(printed, prints)
  })
})
