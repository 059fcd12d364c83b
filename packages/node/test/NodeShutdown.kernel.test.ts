import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"
import { performance } from "node:perf_hooks"
import process from "node:process"
import { setImmediate, setTimeout } from "node:timers/promises"
import { assert, describe, it } from "vitest"
import * as Bundled from "../../../test/support/bundled.ts"
import * as Stopped from "../../../test/support/stopped.ts"
import { connectionsTo, get, isRefused, lastEvent, openStreams, until } from "./clients.ts"

const program = await Bundled.program(join(import.meta.dirname, "ShutdownProgram.ts"))
const start = (name: string, options: object = {}) => Stopped.start(program, name, JSON.stringify(options))
const running = (name: string, options: object = {}) => Stopped.running(program, name, JSON.stringify(options))

/** Signals until nobody is there any more. */
const signalToTheEnd = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill("SIGTERM")
  await setImmediate()
  return signalToTheEnd(child)
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

describe("NodeShutdown.runMain, with a server that has 50 open streams", { timeout: 60_000 }, () => {
  it("drains them after SIGTERM, is not ready meanwhile, and leaves no listener", async () => {
    const { child, ended, port } = await running("server", { unready: "2 seconds" })
    let open = 50
    const { answers } = await openStreams(port, "/numbers/200", 50, () => open--)
    assert.strictEqual((await get(port, "/ready")).status, 200)
    child.kill("SIGTERM")
    await until(async () => (await get(port, "/ready")).status === 503)
    await until(() => isRefused(port))
    assert.strictEqual(open, 50)
    const all = await answers
    const at = performance.now()
    assert.deepStrictEqual(new Set(all.map(lastEvent)), new Set(["event: done"]))
    assert.isTrue(all.every(({ isWhole }) => isWhole))
    const { code, output, at: endedAt } = await ended
    assert.strictEqual(code, 0, output)
    assert.match(output, /1\d\d ended by themselves, 0 interrupted/)
    // No connection that is kept alive holds it up.
    assert.isBelow(endedAt - at, 4000)
    assert.deepStrictEqual(await connectionsTo(port), [])
  })

  it("ends streams that outlast the drain in their own protocol, and exits with the signal's code", async () => {
    const { child, ended, port } = await running("server", { drain: "300 millis" })
    const { answers } = await openStreams(port, "/numbers/100000", 50)
    child.kill("SIGTERM")
    const all = await answers
    assert.deepStrictEqual(new Set(all.map(lastEvent)), new Set(["event: error"]))
    assert.isTrue(all.every(({ body, isWhole }) => isWhole && body.includes("SessionRevoked")))
    const { code, output } = await ended
    assert.strictEqual(code, 143, output)
    assert.match(output, /50 ended by themselves, 50 interrupted/)
    assert.isTrue(await isRefused(port))
    assert.deepStrictEqual(await connectionsTo(port), [])
  })

  it("skips the drain at a second signal", async () => {
    const { child, ended, port } = await running("server", { drain: "1 minute", ceiling: "2 minutes" })
    let open = 50
    const { answers } = await openStreams(port, "/numbers/100000", 50, () => open--)
    child.kill("SIGTERM")
    await until(() => isRefused(port))
    assert.strictEqual(open, 50)
    const at = performance.now()
    child.kill("SIGTERM")
    const all = await answers
    assert.deepStrictEqual(new Set(all.map(lastEvent)), new Set(["event: error"]))
    const { code, output, at: endedAt } = await ended
    assert.strictEqual(code, 143, output)
    assert.match(output, /SIGTERM: waiting for what is in flight\..*\n( {2}.*\n){10} {2}and \d+ more\n/)
    assert.isBelow(endedAt - at, 15_000)
  })

  it("names a finalizer that hangs, and exits at a third signal without waiting for it", async () => {
    const first = await running("server that hangs", { persist: "300 millis" })
    first.child.kill("SIGTERM")
    const overrun = await first.ended
    assert.strictEqual(overrun.code, 1, overrun.output)
    assert.match(overrun.output, /stuck:\n\s+finalizer hung finalizer/)

    const { child, ended, port } = await running("server that hangs", { persist: "1 minute", ceiling: "2 minutes" })
    child.kill("SIGTERM")
    await until(() => isRefused(port))
    child.kill("SIGTERM")
    await setTimeout(300)
    assert.isNull(child.exitCode)
    const at = performance.now()
    child.kill("SIGINT")
    const { code, output, at: endedAt } = await ended
    assert.strictEqual(code, 130, output)
    assert.match(output, /stuck:\n\s+finalizer hung finalizer/)
    assert.isBelow(endedAt - at, 5000)
    assert.isTrue(await isRefused(port))
  })
})

describe("NodeShutdown.runMain", { timeout: 60_000 }, () => {
  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)(
    "%s stops an idle program with exit code 0",
    async (signal) => {
      const { child, ended } = await running("idle")
      child.kill(signal)
      const { code, output } = await ended
      assert.strictEqual(code, 0, output)
      assert.include(output, `(${signal})`)
    }
  )

  it.each([["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const)(
    "%s that cuts work short gives its exit code",
    async (signal, expected) => {
      const { child, ended } = await running("works", { drain: "100 millis" })
      child.kill(signal)
      const { code, output } = await ended
      assert.strictEqual(code, expected, output)
      assert.match(output, /interrupted:\n\s+job #\d+ endless/)
    }
  )

  it("leaves no child process that a scope of the program holds", async () => {
    const { child, ended, port: pid } = await running("holds a child")
    assert.isTrue(isAlive(pid))
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 0, output)
    assert.isFalse(isAlive(pid))
  })

  it("exits at its ceiling, and names what is left", async () => {
    const { child, ended } = await running("hangs", { persist: "1 minute", ceiling: "300 millis" })
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 1, output)
    assert.match(output, /Still shutting down after 300ms[^]*hung finalizer/)
  })

  it("names the program if its own scope hangs", async () => {
    const { child, ended } = await running("scope hangs", { interrupt: "200 millis", close: "100 millis" })
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 1, output)
    assert.match(output, /stuck:\n\s+finalizer the program/)
  })

  it.each([
    ["fails", 1, /out of luck/],
    ["fails with a code", 42, /Custom/],
    ["interrupts", 130, /^/],
    ["throws", 1, /uncaughtException[^]*thrown by nobody/],
    ["rejects", 1, /unhandledRejection[^]*rejected by nobody/],
    ["stops", 0, /^/]
  ])("a program that %s ends with %d", async (name, expected, told) => {
    const { code, output } = await start(name).ended
    assert.strictEqual(code, expected, output)
    assert.match(output, told)
  })

  it("lets detached work of a program that succeeds end, and removes its listeners", async () => {
    const { code, output } = await start("succeeds").ended
    assert.strictEqual(code, 0, output)
    assert.match(output, /detached work done\nlisteners: 0,0,0/)
  })

  it("exits with 1 if work was cut short without a signal, and names it", async () => {
    const { code, output } = await start("stops and cuts a job", { drain: "100 millis" }).ended
    assert.strictEqual(code, 1, output)
    assert.match(output, /exit code 1\n[^]*interrupted:\n\s+job #\d+ endless/)
  })

  it("exits with the code of the first signal, whichever comes second", async () => {
    const { child, ended } = await running("works")
    child.kill("SIGTERM")
    await setTimeout(100)
    child.kill("SIGINT")
    const { code, output } = await ended
    assert.strictEqual(code, 143, output)
    assert.include(output, "; exit code 143\n")
  })

  it("survives a signal that comes as it exits", async () => {
    const finished = await running("exits slowly")
    await signalToTheEnd(finished.child)
    assert.strictEqual((await finished.ended).code, 0)

    const { child, ended } = await running("waits and exits slowly")
    const exits = once(child, "message")
    child.kill("SIGTERM")
    await exits
    await signalToTheEnd(child)
    assert.strictEqual((await ended).code, 0)
  })

  it("exits at a signal after the shutdown, whatever else keeps the process alive", async () => {
    const { child, ended } = await running("is outlived by others")
    child.kill("SIGTERM")
    assert.strictEqual((await ended).code, 0)
  })

  it("keeps the program's own exit code, unless the shutdown has one", async () => {
    assert.strictEqual((await start("sets a code").ended).code, 5)
    const { child, ended } = await running("sets a code and waits")
    child.kill("SIGTERM")
    const { code, output } = await ended
    assert.strictEqual(code, 5, output)
    assert.include(output, "; exit code 5\n")
    assert.strictEqual((await start("sets a code and fails").ended).code, 1)
  })

  it.each(["release dies", "layer's release dies", "session's release dies"])(
    "logs why it exits with 1 if the program is interrupted and its %s",
    async (name) => {
      const { child, ended } = await running(name, { drain: "100 millis" })
      child.kill("SIGTERM")
      const { code, output } = await ended
      assert.strictEqual(code, 1, output)
      assert.strictEqual(output.match(/ERROR[^\n]*\n?[^\n]*Error: release failed/g)?.length, 1, output)
      assert.notInclude(output, "InterruptError")

      const silent = await running(name, { drain: "100 millis", disableErrorReporting: true })
      silent.child.kill("SIGTERM")
      const ending = await silent.ended
      assert.strictEqual(ending.code, 1)
      assert.notInclude(ending.output, "ERROR")
    }
  )

  it("names what a program that succeeds has not released, and releases it", async () => {
    const { code, output } = await start("forgets", { close: "200 millis" }).ended
    assert.strictEqual(code, 0, output)
    assert.match(output, /forced:\n\s+lock #\d+ forgotten/)
  })
})
