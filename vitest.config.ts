import { availableParallelism } from "node:os"
import { join } from "node:path"
import { env } from "node:process"
import { defineConfig } from "vitest/config"
import SlowFirst from "./scripts/slowFirst.ts"
import Summary from "./scripts/summary.ts"

// Many tests start programs of ours. What Node.js has compiled for one of them serves the next.
env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/compiled")

const files = ["{packages/*/,}test/**/*.test.ts"]

/** What counts sockets, descriptors or bytes, changes its process, measures time, or takes long. */
const alone = [
  "**/*.kernel.test.ts",
  "packages/{core,providers}/test/**/{*Memory,*Leaks,DroppedReaders,TransportInterruption}.test.ts",
  "packages/node/test/NodeServer.test.ts",
  "packages/telemetry/test/{Telemetry*,activeSpan}.test.ts",
  "packages/testing/test/FaultyProvider.test.ts",
  "test/{alerts,cancellation,checks,codecs,directModel,docs,examples,proofs}.test.ts",
  "test/{secretsHeap,sessions,simulations,telemetry,telemetrySecrets}.test.ts"
]

/** What starts servers or takes long, and so is a part of `.ci/run`, not of `npm test`: see `test:all`. */
const ci = [
  "packages/node/test/{NodePostgres,PostgresConnection,NodeRedis}.test.ts",
  "test/{bench,conversationStoreRedis,conversationStoreSql,leaseScript,leaseStores}.test.ts",
  "test/{postgresServer,redisServer,serverProofs}.test.ts"
]

export default defineConfig({
  ssr: { resolve: { conditions: ["@clawback/source"] } },
  test: {
    reporters: ["default", new Summary()],
    sequence: { sequencer: SlowFirst },
    // Far more than any takes, but for machines that have much else to do.
    testTimeout: 20_000,
    // By itself, Vitest leaves one core to its own process, which has little to do. With more, tests of time limits fail.
    maxWorkers: availableParallelism(),
    projects: [
      // Each file is alone in a process of its own.
      { extends: true, test: { name: "alone", include: alone, pool: "forks" } },
      // Each file takes less time than what it imports, so that they share it.
      { extends: true, test: { name: "shared", include: files, exclude: [...alone, ...ci], isolate: false } },
      { extends: true, test: { name: "ci", include: ci, pool: "forks" } }
    ]
  }
})
