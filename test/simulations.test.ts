/** The scenarios at the scale of every test run, and the proof that they can fail. */
import { execFile } from "node:child_process"
import { execPath } from "node:process"
import { assert, describe, it } from "vitest"
import { modules } from "./support/scenarios.ts"

/** What a program of ours says last, and the code that it ends with. */
const run = (...args: ReadonlyArray<string>) =>
  new Promise<{ readonly code: unknown; readonly output: string; readonly last: unknown }>((resolve) => {
    execFile(execPath, ["--conditions=@clawback/source", ...args], (error, output) => {
      resolve({ code: error?.code ?? 0, output, last: JSON.parse(output.trim().split("\n").at(-1) ?? "") })
    })
  })

describe("simulate", { timeout: 120_000 }, () => {
  it.each(modules())("%s holds in 2,000 seeds", async (module) => {
    const { code, last } = await run("scripts/simulate.ts", "--module", module, "--seeds", "2000")
    assert.deepInclude(last, { modules: [module], seeds: 2000, failures: [] })
    assert.strictEqual(code, 0)
  })
})

describe("the harness", { timeout: 120_000 }, () => {
  it("sees the leaks of Effect, none where there is none, and replays them", async () => {
    const { code, last } = await run("test/proofs/harness.ts", "--scale", "small")
    const { leaks, met } = last as { met: boolean; leaks: ReadonlyArray<{ name: string; firstSeed: number }> }
    assert.deepStrictEqual({ code, met, count: leaks.length }, { code: 0, met: true, count: 3 })
    const [{ firstSeed, name } = { name: "none", firstSeed: 0 }] = leaks
    const replay = await run("scripts/simulate.ts", "--module", `effect/${name}`, "--seed", String(firstSeed))
    assert.match(replay.output, /: VIOLATED /)
    assert.strictEqual(replay.code, 1)
  })
})
