/** What grows with each run is told, and nothing else. Alone in its process, whose heap it measures. */
import { Session } from "@clawback/core"
import { LeakCheck } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Fiber, Scope } from "effect"
import { McpProtocol, McpServer } from "effect/ai"
import { HttpRouter } from "effect/http"
import { closeSync, openSync } from "node:fs"

const clientInfo = { name: "client", version: "1.0.0" }
const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo }
const initialize = {
  method: "POST",
  headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params })
}

const slot = Session.use({ kind: "slot", name: "gpt-5" }, Effect.void, () => Effect.void, () => Effect.yieldNow)

describe("LeakCheck.growth", { timeout: 60_000 }, () => {
  it.live("finds the sessions that Effect's MCP server keeps for clients that have left", () =>
    Effect.gen(function*() {
      const protocols = [McpProtocol.v2025_11_25] as const
      const { dispose, handler } = HttpRouter.toWebHandler(
        McpServer.layerHttp({ name: "notes", version: "1.0.0", path: "/mcp", protocols }),
        { disableLogger: true }
      )
      yield* Effect.addFinalizer(() => Effect.promise(() => dispose()))
      const visit = Effect.promise(async () => {
        const response = await handler(new Request("http://localhost/mcp", initialize))
        assert.strictEqual(response.status, 200)
        await response.text()
      })
      const error = yield* Effect.flip(LeakCheck.growth(visit, { runs: 40, samples: 20 }))
      assert(error instanceof LeakCheck.GrowthFound)
      assert.isAbove(error.growth.bytes.lower, error.growth.limit)
      assert.match(
        error.message,
        /^The program grows, after 1,100 runs:\n {4}bytes of the heap per run: [\d,.]+ \(95 %/
      )
    }))

  it.live("passes a program that releases everything", () =>
    Effect.gen(function*() {
      const program = Effect.gen(function*() {
        yield* Effect.forkScoped(slot)
        yield* Effect.forkChild(Effect.never)
        yield* Effect.flatMap(Effect.forkDetach(slot), Fiber.join)
      })
      const { descriptors, fibers, sessions } = yield* LeakCheck.growth(program, { warmUp: 500 })
      assert.deepStrictEqual([descriptors.slope, fibers.slope, sessions.slope], [0, 0, 0])
    }))

  it.live("passes a cache with a limit", () =>
    Effect.gen(function*() {
      const cache = new Map<number, ReadonlyArray<number>>()
      let runs = 0
      const program = Effect.sync(() => {
        cache.set(++runs, Array.from({ length: 100 }, (_, i) => i + runs))
        cache.delete(runs - 1_000)
      })
      const growth = yield* LeakCheck.growth(program, { warmUp: 0, runs: 200 })
      assert.isAbove(growth.runs, 1_000)
    }))

  it.live("reports fibers, sessions and descriptors that each run leaves", () =>
    Effect.gen(function*() {
      const files: Array<number> = []
      const program = Effect.gen(function*() {
        yield* Effect.forkDetach(Effect.never)
        const scope = yield* Scope.make()
        yield* Scope.provide(Session.acquire({ kind: "slot", name: "gpt-5" }, Effect.void, () => Effect.void), scope)
        files.push(openSync(import.meta.filename, "r"))
      })
      const error = yield* Effect.flip(LeakCheck.growth(program, { warmUp: 1, runs: 2, samples: 10 }))
      for (const file of files) closeSync(file)
      assert(error instanceof LeakCheck.GrowthFound)
      for (const what of ["fibers", "sessions", "descriptors"]) {
        assert.include(error.message, `    ${what} per run: 1 (95 %: 1 to 1)\n`)
      }
    }))

  it.effect("fails as the program does", () =>
    Effect.gen(function*() {
      assert.deepStrictEqual(yield* Effect.exit(LeakCheck.growth(Effect.fail("broken"))), Exit.fail("broken"))
    }))

  it("explains how to make the garbage collector available", () => {
    assert.include(new LeakCheck.CollectorUnavailable({ cause: "no such flag" }).message, "--expose-gc")
  })
})
