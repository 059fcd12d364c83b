/** What a process that is stopped while it works says of that, by its exit code and by its report. */
import { FaultyProvider } from "@clawback/testing"
import { Effect } from "effect"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as Stopped from "./support/stopped.ts"
import { talking } from "./support/talking.ts"

const program = join(import.meta.dirname, "support/exitProgram.ts")

/** Starts a program that talks to a model, tells it to stop, and waits for its end. */
const stopped = (name: string, signal: NodeJS.Signals) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const provider = yield* FaultyProvider.make({ otherwise: talking("10 millis") })
    const { child, ended } = yield* Effect.promise(() => Stopped.running(program, name, `${provider.url}/v1`))
    child.kill(signal)
    return yield* Effect.promise(() => ended)
  })))

const signals = [["SIGINT", 130], ["SIGTERM", 143]] as const

describe("work that a signal cuts short", { timeout: 60_000 }, () => {
  it.each([
    ["an admitted answer", "job #\\d+ endless"],
    ["an error of its own", "job #\\d+ endless"]
  ])("%s ends in the signal's code, and the report says so", async (name, told) => {
    for (const [signal, expected] of signals) {
      const { code, output } = await stopped(name, signal)
      assert.strictEqual(code, expected, output)
      assert.match(output, new RegExp(`1 interrupted.*; exit code ${expected}\\n[^]*interrupted:\\n\\s+${told}`))
      assert.notInclude(output, "ERROR")
    }
  })
})

describe("a program that fails by itself", { timeout: 60_000 }, () => {
  it.each(["revoked by others", "revoked by others before", "an error that is its own cause"])(
    "while it is shut down (%s) ends in 1, and the report says so",
    async (name) => {
      const { code, output } = await stopped(name, "SIGTERM")
      assert.strictEqual(code, 1, output)
      assert.include(output, "; exit code 1\n")
      assert.include(output, "of its own")
    }
  )

  it("before anything told it to end ends in 1", async () => {
    const { code, output } = await Stopped.start(program, "fails while it runs").ended
    assert.strictEqual(code, 1, output)
    assert.include(output, "was revoked: suspended")
  })
})
