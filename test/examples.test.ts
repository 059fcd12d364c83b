/** Runs the examples as a user does. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import * as Net from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { env, execPath } from "node:process"
import { assert, describe, it, onTestFinished, vi } from "vitest"
import { alerts, has } from "../examples/ghost-connections/alerts.ts"
import { programs } from "../examples/ghost-connections/PostgresServer.ts"

const { OPENAI_API_KEY: _, OPENAI_BASE_URL: __, ...withoutKey } = env

const start = (name: string, variables: Readonly<Record<string, string>> = {}, ...flags: ReadonlyArray<string>) => {
  const child = spawn(execPath, ["--conditions=@clawback/source", `examples/${name}/main.ts`, ...flags], {
    env: { ...withoutKey, ...variables },
    stdio: ["ignore", "pipe", "inherit"]
  })
  onTestFinished(() => void child.kill("SIGKILL"))
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text))
  const exited = once(child, "exit")
  return {
    child,
    exited,
    output: () => output,
    /** Waits until the output says something, and answers with what it says. */
    says: async (pattern: RegExp): Promise<string> =>
      await vi.waitUntil(() => {
        if (child.exitCode !== null) assert.fail(output)
        const found = pattern.exec(output)
        return found?.[1] ?? found?.[0]
      }, { timeout: 30_000 })
  }
}

describe("examples", { timeout: 60_000 }, () => {
  it("quickstart streams an answer, and has no open session before and after", async () => {
    const { exited, output } = start("quickstart")
    assert.deepStrictEqual(await exited, [0, null])
    assert.match(output(), /before:\n {2}nothing is held/)
    assert.match(
      output(),
      /while it streams:\n(.*\n)*.*exchange 127\.0\.0\.1:\d+\/v1\/chat\/completions, inside of #2\n/
    )
    assert.match(output(), /Because someone opened them in one step and promised to close them in a later one\.\n/)
    assert.match(output(), /after its layers:\n {2}nothing is held/)
  })

  it("http-api cancels the model call when its client leaves, and drains at its shutdown", async () => {
    const { child, exited, output, says } = start("http-api", { PORT: "0" })
    const url = await says(/Listening on (\S+)/)
    const held = async () => await (await fetch(`${url}/held`)).json() as Readonly<Record<string, number>>
    const leaving = new AbortController()
    const answer = await fetch(`${url}/chat?prompt=Why`, { signal: leaving.signal })
    const first = await answer.body?.getReader().read()
    assert.strictEqual(new TextDecoder().decode(first?.value), "data: \"Because some\"\n\n")
    assert.deepInclude(await held(), { call: 1, exchange: 1, request: 2 })
    leaving.abort()
    // Only the one that asks is left, and what is kept for the next call.
    await vi.waitUntil(async () => (await held())["call"] === undefined, { timeout: 5000 })
    assert.doesNotHaveAnyKeys(await held(), ["call", "exchange"])
    assert.deepInclude(await held(), { request: 1 })
    const staying = await fetch(`${url}/chat?prompt=Why`)
    const silent = Net.connect({ port: Number(new URL(url).port), host: "127.0.0.1" })
    silent.on("error", () => {})
    await once(silent, "connect")
    await held()
    child.kill("SIGTERM")
    assert.match(await staying.text(), /data: "later one\."\n\n$/)
    assert.deepStrictEqual(await exited, [0, null])
    assert.match(output(), / 1 ended by themselves, 0 interrupted, 0 forced, 0 failed, 0 stuck/)
  })

  it("chatbot-memory holds little where the naive application holds every history, and forgets nothing too early", async () => {
    const folder = mkdtempSync(join(tmpdir(), "clawback-example-"))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    const out = join(folder, "plot.svg")
    const { exited, output } = start("chatbot-memory", {}, "--turns", "4000", "--out", out)
    assert.deepStrictEqual(await exited, [0, null], output())
    const row = (title: string) => {
      const [, naive = "", ours = ""] = new RegExp(`^${title} +(\\S+)(?: MB)? +(\\S+)`, "m").exec(output()) ?? []
      return { naive, ours }
    }
    assert.deepStrictEqual(row("turns answered"), { naive: "4000", ours: "4000" }, output())
    assert.deepStrictEqual(row("histories that were wrong"), { naive: "0", ours: "0" })
    const bytes = row("bytes per 1,000 conversations begun")
    assert.isAtMost(Number(bytes.ours), 0.6 * Number(bytes.naive), output())
    assert.match(readFileSync(out, "utf8"), /^<svg (.|\n)*<\/svg>\n$/)
  })

  it.skipIf(programs === undefined)(
    "ghost-connections exhausts PostgreSQL with the naive application, and not with ours",
    async () => {
      const folder = mkdtempSync(join(tmpdir(), "clawback-example-"))
      onTestFinished(() => rmSync(folder, { recursive: true }))
      const out = join(folder, "plot.svg")
      const { exited, output } = start("ghost-connections", {}, "--seconds", "5", "--out", out)
      assert.deepStrictEqual(await exited, [0, null], output())
      const row = (title: string) => {
        const [, naive = "", ours = ""] = new RegExp(`^${title} +(\\S+)(?: s)? +(\\S+)`, "m").exec(output()) ?? []
        return { naive, ours }
      }
      const refused = row("requests that got no connection")
      assert.isAbove(Number(refused.naive), 0)
      assert.strictEqual(refused.ours, "0")
      assert.strictEqual(row("requests that failed otherwise").ours, "0")
      assert.isAbove(Number(row("requests answered").ours), Number(row("requests answered").naive))
      // The sampler has the last of the 22 that are not for superusers.
      assert.strictEqual(row("most connections open").naive, "21", output())
      assert.isAtMost(Number(row("most connections open").ours), 10)
      assert.deepStrictEqual(row("idle in a transaction at the end"), { naive: "21", ours: "0" })
      for (const program of ["promtool", "prometheus"] as const) {
        if (!has(program)) continue
        for (const alert of alerts) {
          const by = program === "promtool" ? program : "Prometheus"
          assert.deepStrictEqual(row(`${alert}, by ${by}`), { naive: "fires", ours: "silent" }, output())
        }
      }
      assert.match(readFileSync(out, "utf8"), /^<svg (.|\n)*<\/svg>\n$/)
    },
    120_000
  )
})
