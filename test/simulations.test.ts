/** The scenarios and the machines at the scale of a test run, and the proof that scenarios can fail. */
import { execFile } from "node:child_process"
import { execPath } from "node:process"
import { assert, beforeAll, describe, it } from "vitest"
import { machines, modules } from "./support/scenarios.ts"

interface Ended {
  readonly code: unknown
  readonly output: string
  /** The JSON object that is printed last. */
  readonly last: unknown
}

/** Runs a program of ours. */
const run = (...args: ReadonlyArray<string>) =>
  new Promise<Ended>((resolve) => {
    execFile(execPath, ["--conditions=@clawback/source", ...args], (error, output) => {
      resolve({ code: error?.code ?? 0, output, last: JSON.parse(output.trim().split("\n").at(-1) ?? "") })
    })
  })

interface Simulated {
  readonly failures: ReadonlyArray<{ readonly module: string }>
  readonly explored: Readonly<Record<string, number>>
  readonly enumerated: Readonly<Record<string, { readonly interleavings: number; readonly states: number }>>
}

describe("simulate", () => {
  let code: unknown
  let simulated: Simulated
  beforeAll(async () => {
    const ended = await run("scripts/simulate.ts", "--seconds", "30")
    code = ended.code
    simulated = ended.last as Simulated
  }, 240_000)

  const failuresOf = (name: string) => simulated.failures.filter(({ module }) => module === name)

  it.each(modules())("%s has no failure in its share of half a minute", (module) => {
    assert.deepStrictEqual(failuresOf(module), [])
    assert.isAtLeast(simulated.explored[module] ?? 0, 200)
  })

  it.each(machines())("%s keeps its laws in every interleaving", (machine) => {
    assert.deepStrictEqual(failuresOf(machine), [])
    const { interleavings, states } = simulated.enumerated[machine] ?? { interleavings: 0, states: 0 }
    assert.isAbove(interleavings, 100_000_000)
    assert.isAbove(states, 300)
  })

  it("exits with 0 if nothing failed", () => {
    assert.deepStrictEqual({ code, failures: simulated.failures }, { code: 0, failures: [] })
  })
})

describe("the harness", { timeout: 120_000 }, () => {
  it("finds the leaks of Effect, finds none elsewhere, and replays them", async () => {
    const { code, last } = await run("test/proofs/harness.ts", "--scale", "small")
    const { leaks, met } = last as { met: boolean; leaks: ReadonlyArray<{ name: string; firstSeed: number }> }
    assert.deepStrictEqual({ code, met, count: leaks.length }, { code: 0, met: true, count: 3 })
    const [{ firstSeed, name } = { name: "none", firstSeed: 0 }] = leaks
    const replay = await run("scripts/simulate.ts", "--module", `effect/${name}`, "--seed", String(firstSeed))
    assert.match(replay.output, /: VIOLATED /)
    assert.strictEqual(replay.code, 1)
  })
})
