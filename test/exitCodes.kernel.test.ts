/** The exit code and the report of a process that is stopped during its work. */
import { Behavior, FaultyProvider } from "@clawback/testing"
import { Effect } from "effect"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import * as Bundled from "./support/bundled.ts"
import * as Stopped from "./support/stopped.ts"
import { talking } from "./support/talking.ts"

const program = await Bundled.program(join(import.meta.dirname, "support/exitProgram.ts"))

/** Starts a program that calls a model, sends it a signal, and waits for its exit. */
const stopped = (name: string, signal: NodeJS.Signals, otherwise = talking("10 millis")) =>
  Effect.runPromise(Effect.scoped(Effect.gen(function*() {
    const provider = yield* FaultyProvider.make({ otherwise })
    const { child, ended } = yield* Effect.promise(() => Stopped.running(program, name, `${provider.url}/v1`))
    child.kill(signal)
    return yield* Effect.promise(() => ended)
  })))

describe("work that a signal cuts short", { timeout: 60_000 }, () => {
  const works = [
    ["an admitted answer", "job #\\d+ endless"],
    ["an error of its own", "job #\\d+ endless"],
    ["an answer", "call #\\d+ openai/gpt-5"],
    ["a session", "job #\\d+ endless"]
  ] as const
  const signals = [["SIGINT", 130], ["SIGTERM", 143]] as const

  it.each(works.flatMap(([name, told]) => signals.map(([signal, expected]) => ({ name, told, signal, expected }))))(
    "$name: $signal gives exit code $expected, and the report names it",
    async ({ expected, name, signal, told }) => {
      const { code, output } = await stopped(name, signal)
      assert.strictEqual(code, expected, output)
      assert.match(output, new RegExp(`1 interrupted.*; exit code ${expected}\\n[^]*interrupted:\\n\\s+${told}`))
      assert.notInclude(output, "ERROR")
    }
  )
})

describe("a program without work under way when it is stopped", { timeout: 60_000 }, () => {
  const finish = { choices: [{ index: 0, delta: { content: "well" }, finish_reason: "stop" }] }
  const whole = Behavior.sse([{ data: { id: "chatcmpl-1", model: "gpt-5", ...finish } }, { data: "[DONE]" }])

  it.each(["a connection that is idle", "work that ends"])("(%s) exits with 0", async (name) => {
    const { code, output } = await stopped(name, "SIGTERM", whole)
    assert.strictEqual(code, 0, output)
    assert.include(output, " 0 interrupted, 0 forced, 0 failed, 0 stuck; exit code 0\n")
  })
})

describe("a program that fails by itself", { timeout: 60_000 }, () => {
  it.each(["revoked by others", "revoked by others before", "an error that is its own cause"])(
    "during the shutdown (%s) exits with 1, and the report has that code",
    async (name) => {
      const { code, output } = await stopped(name, "SIGTERM")
      assert.strictEqual(code, 1, output)
      assert.include(output, "; exit code 1\n")
      assert.include(output, "of its own")
    }
  )

  it("before the shutdown exits with 1", async () => {
    const { code, output } = await Stopped.start(program, "fails while it runs").ended
    assert.strictEqual(code, 1, output)
    assert.include(output, "was revoked: suspended")
  })
})
