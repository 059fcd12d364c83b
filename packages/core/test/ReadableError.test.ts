import { Deadline, SessionError, Timeouts, TransportError } from "@clawback/core"
import * as ReadableError from "@clawback/core/ReadableError"
import { assert, describe, it } from "@effect/vitest"
import { Console, Duration, Effect, Logger, Redacted, Schema } from "effect"
import { globSync, readFileSync } from "node:fs"
import { inspect } from "node:util"
import { expectTypeOf } from "vitest"

class Told extends ReadableError.tagged<Told>("@test/Told")("Told", {
  url: Schema.String,
  apiKey: Schema.String,
  hidden: Schema.Redacted(Schema.String),
  wait: Schema.Duration,
  missing: Schema.optional(Schema.String),
  cause: Schema.Defect()
}) {
  override get message() {
    return "It went wrong.\nTry again."
  }
}

const told = new Told({
  url: "https://me:hunter2@a.test/x?key=hunter2",
  apiKey: "hunter2",
  hidden: Redacted.make("hunter2"),
  wait: Duration.seconds(90),
  cause: new Error("the cause")
})

const all: ReadonlyArray<Error> = [
  new Timeouts.ConnectTimeout({ origin: "https://a.test", limit: Duration.seconds(3) }),
  new SessionError.QuotaExceeded({ tenant: "acme", kind: "call", limit: 3 }),
  new Deadline.DeadlineExceeded({ budget: Duration.seconds(3) }),
  new TransportError.ConnectFailed({ origin: "https://a.test", reason: "refused", cause: new Error("ECONNREFUSED") })
]

/** What loggers write of these values. */
const logged = (...values: ReadonlyArray<unknown>) => {
  const lines: Array<string> = []
  const write = (...parts: ReadonlyArray<unknown>) =>
    void lines.push(parts.map((part) => typeof part === "string" ? part : inspect(part, { depth: 9 })).join(" "))
  const silent = Object.create(
    console,
    Object.fromEntries(
      ["log", "error", "info", "warn", "debug", "group"].map((name) => [name, { value: write }])
    )
  )
  const loggers = [Logger.consolePretty({ mode: "browser" }), Logger.consoleJson, Logger.consoleLogFmt]
  return Effect.map(
    Effect.logError(...values).pipe(
      Effect.provide(Logger.layer([...loggers, Logger.consoleStructured])),
      Effect.provideService(Console.Console, silent)
    ),
    () => lines
  )
}

describe("an error of ours", () => {
  it("begins with its tag and its message, and shows stack, fields and cause", () => {
    const text = inspect(told)
    assert.match(text, /^Told: It went wrong\.\nTry again\.\n +at /)
    assert.include(text, "wait: '1m 30s'")
    assert.include(text, "[cause]: Error: the cause")
    assert.notInclude(text, "missing")
    for (const error of all) {
      assert.isTrue(inspect(error).startsWith(`${Reflect.get(error, "_tag")}: ${error.message}\n`))
    }
  })

  it("is readable inside of other values, and short below their depth", () => {
    assert.include(inspect({ failed: told }), "{\n  failed: Told: It went wrong.\n  Try again.\n")
    assert.include(inspect({ a: { b: [told] } }, { depth: 1 }), "[Array]")
    assert.strictEqual(inspect([told], { depth: 0 }), "[\n  [Told: It went wrong.\n  Try again.]\n]")
  })

  it("has its message in JSON", () => {
    assert.deepInclude(JSON.parse(JSON.stringify(told)), {
      _tag: "Told",
      message: "It went wrong.\nTry again.",
      wait: "1m 30s",
      cause: "Error: the cause"
    })
  })

  it("can be printed whatever its cause is", () => {
    for (const cause of [Object.create(null), null, 5, Symbol("s"), "text", { a: 1 }]) {
      const error = Object.assign(new Told({ ...told, cause: "x" }), { cause })
      assert.include(inspect(error), "It went wrong.")
      assert.include(JSON.stringify(error), "It went wrong.")
    }
  })

  it.effect("has its message in each of Effect's loggers", () =>
    Effect.gen(function*() {
      const lines = (yield* logged("failed", ...all)).join("\n")
      for (const { message } of all) {
        const times = lines.split(message.slice(0, 40)).length - 1
        assert.isAtLeast(times, 4, message)
      }
    }))

  it.effect("shows no secret", () =>
    Effect.gen(function*() {
      const lines = yield* logged(told)
      for (const text of [inspect(told, { depth: 9 }), JSON.stringify(told), ...lines]) {
        assert.notInclude(text, "hunter2")
      }
      assert.include(inspect(told), "apiKey: '<redacted>'")
    }))

  it("keeps its fields, its equality and its type", () => {
    expectTypeOf(told.wait).toEqualTypeOf<Duration.Duration>()
    expectTypeOf<Told["_tag"]>().toEqualTypeOf<"Told">()
    assert.deepStrictEqual(
      all[0],
      new Timeouts.ConnectTimeout({ origin: "https://a.test", limit: Duration.seconds(3) })
    )
    assert.deepStrictEqual(Object.keys(all[1] ?? {}).toSorted(), ["_tag", "kind", "limit", "tenant"])
  })

  it("is made readable in every package", () => {
    const folder = new URL("../..", import.meta.url).pathname
    const bare = globSync(`${folder}/*/src/**/*.ts`).filter((file) =>
      readFileSync(file, "utf8").includes("extends Schema.TaggedError")
    )
    assert.deepStrictEqual(bare, [])
  })
})
