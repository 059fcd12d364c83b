/** Compiles and runs the programs in the documents, and compares what they print with what the page says. */
import { LLMock } from "@copilotkit/aimock"
import { Effect, Exit, Scope } from "effect"
import { execFile } from "node:child_process"
import { mkdirSync, rmSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { env, execPath } from "node:process"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Bundled from "./support/bundled.ts"
import { programs, runsAlone } from "./support/fences.ts"
import * as Postgres from "./support/postgres.ts"

// Inside the repository, so that imports resolve as they do in examples; git and the linters ignore `dist`.
const folder = "dist/docs"

/** The provider that the examples call, through the base URLs of the environment. */
const provider = new LLMock({ port: 0, logLevel: "silent", latency: 10 })

/** The database of the examples, on a server that is there or is started. */
const database = Postgres.isAvailable ? Scope.makeUnsafe() : undefined
let databaseUrl: string | undefined

const openDatabase = Effect.gen(function*() {
  const address = yield* Postgres.available
  const { host, password = "", port, user } = address
  databaseUrl = `postgresql://${user}:${password}@${host}:${port}/${yield* Postgres.database(address)}`
})

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
    ANTHROPIC_BASE_URL: provider.url,
    DATABASE_URL: databaseUrl
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

const runnable = programs.filter(({ code, isRun }) =>
  isRun && (database !== undefined || !code.includes("DATABASE_URL"))
)
const alone = runnable.filter(runsAlone)
const together = runnable.filter((program) => !runsAlone(program))
let bundled: Promise<void>
let ended: Promise<ReadonlyMap<string, Ended>>

beforeAll(async () => {
  provider.onMessage(/.*/, { content: "Because someone opened them in one step and closed them in none." })
  await provider.start()
  if (database !== undefined) await Effect.runPromise(Scope.provide(openDatabase, database))
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
  const paths = alone.map(({ path }): [string, string] => [path.replace(/\.ts$/, ""), join(folder, path)])
  bundled = Bundled.programs(Object.fromEntries(paths), join(folder, "bundled"))
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
  bundled.catch(() => {})
})

afterAll(async () => {
  await provider.stop()
  if (database !== undefined) await Effect.runPromise(Scope.close(database, Exit.void))
})

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
    await bundled
    const printed = await run(join(folder, "bundled", path.replace(/\.ts$/, ".mjs")))
    if (prints !== undefined) assert.strictEqual(printed, prints)
  })
})
