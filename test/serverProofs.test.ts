/** The proofs that need servers, at their small scale. */
import { describe, it } from "vitest"
import * as Postgres from "./support/postgres.ts"
import { prove } from "./support/prove.ts"
import * as Redis from "./support/redis.ts"

it.skipIf(!Postgres.isInstalled)(
  "postgres: keeps its connections within their limit, and comes back after a restart and a suspension",
  () => prove("postgres"),
  60_000
)

// These wait for most of their time, so that they run at once.
describe.concurrent("deaths of processes", () => {
  it("writers: loses no append of many writers, though their processes are killed", () => prove("writers"), 60_000)
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
