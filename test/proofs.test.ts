/** Each proof at its small scale: it must succeed, and its process must exit by itself. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { execPath } from "node:process"
import { text } from "node:stream/consumers"
import { assert, describe, it } from "vitest"
import * as Postgres from "./support/postgres.ts"
import * as Redis from "./support/redis.ts"

const prove = async (name: string): Promise<void> => {
  const child = spawn(
    execPath,
    ["--conditions=@clawback/source", "--expose-gc", `test/proofs/${name}.ts`, "--scale", "small"],
    {
      stdio: ["ignore", "pipe", "inherit"]
    }
  )
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")])
  assert.strictEqual(code, 0, output)
  const last: unknown = JSON.parse(output.trim().split("\n").at(-1) ?? "")
  assert.deepInclude(last as object, { name, met: true })
}

it.each([
  ["main", "holds real conversations and releases everything"],
  ["metrics", "counts the same as the provider and the callers"],
  ["abort", "cuts calls in every phase and in every way, and leaves nothing"],
  ["faces", "cuts calls of both providers through each face, and leaves nothing"],
  ["growth", "does not grow over thousands of calls, many of which fail"],
  ["growthProviders", "does not grow over thousands of calls through the provider layers"],
  ["growthLayers", "does not grow over layers with new models, providers and kinds of sessions"],
  ["growthPool", "does not grow over thousands of loans of pools, many of which fail"],
  ["bodies", "returns connections whose bodies are not read"],
  ["differential", "does the same in our wrappers as plain Effect"],
  ["conversations", "keeps conversations small while they are idle, and nothing once they have expired"],
  ["writers", "loses no append of many writers, though their processes are killed"],
  ["compaction", "keeps histories valid, within their budget, and cached"],
  ["recorded", "reads recorded traffic as the vendors' SDKs do, and writes it again"],
  ["recordedVariants", "reads what other vendors' servers and clients send in place of it"],
  ["requests", "releases all that a request holds when its client leaves"]
])("%s: %s", (name) => prove(name), 60_000)

it.skipIf(!Postgres.isInstalled)(
  "postgres: keeps its connections within their limit, and comes back after a restart and a suspension",
  () => prove("postgres"),
  60_000
)

// These wait for most of their time, so that they run at once.
describe.concurrent("limits of time, and deaths of processes", () => {
  it("timeouts: ends each stage of a call in time, and retries only what is safe", () => prove("timeouts"), 60_000)
  it("crash: keeps conversations through the kill -9 of their process", () => prove("crash"), 60_000)
})

describe.concurrent("stores", () => {
  it.skipIf(!Redis.isInstalled && !Postgres.isInstalled)(
    "leases: never has more holders than the limit, whoever is killed, paused or restarted",
    () => prove("leases"),
    60_000
  )
  it.skipIf(!Postgres.isInstalled || !Redis.isInstalled)(
    "erasure: leaves nothing of a subject in the bytes of any store",
    () => prove("erasure"),
    60_000
  )
})
