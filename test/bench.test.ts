import { execFile } from "node:child_process"
import { globSync } from "node:fs"
import { basename } from "node:path"
import { execPath } from "node:process"
import { promisify } from "node:util"
import { assert, describe, expect, it } from "vitest"

const flags = ["--conditions=@clawback/source", "--expose-gc"]
const names = globSync("packages/benchmarks/src/*.ts").map((path) => basename(path, ".ts")).toSorted()

describe("benchmarks", () => {
  it("exist", () => {
    assert.isNotEmpty(names)
  })

  it.each(names)("%s ends its output with one line of JSON", async (name) => {
    const { stdout } = await promisify(execFile)(
      execPath,
      [...flags, "scripts/run.ts", "packages/benchmarks/src/*.ts", name, "--smoke"],
      { timeout: 90_000, killSignal: "SIGKILL" }
    )
    const last = JSON.parse(stdout.trimEnd().split("\n").at(-1) ?? "")
    const targets: ReadonlyArray<{ readonly met: boolean }> = last.targets

    assert.isNotEmpty(targets)
    expect(last).toEqual({
      name,
      met: targets.every((target) => target.met),
      targets: targets.map(() => ({
        name: expect.any(String),
        ratio: expect.any(Number),
        target: expect.any(String),
        met: expect.any(Boolean),
        ours: expect.any(Number),
        peer: expect.any(Number)
      }))
    })
  }, 100_000)
})
