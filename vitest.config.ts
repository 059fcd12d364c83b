import { availableParallelism } from "node:os"
import { join } from "node:path"
import { env } from "node:process"
import { defineConfig } from "vitest/config"
import SlowFirst from "./scripts/slowFirst.ts"
import Summary from "./scripts/summary.ts"

// Many tests start programs of ours. What Node.js has compiled for one of them serves the next.
env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/compiled")

const files = "{packages/*/,}test/**/*"
const hostile = "test/hostile/*/!(*.kernel).test.ts"
/** Tests of modules, without what watches memory or takes long. */
const modules =
  "packages/{core,providers}/test/**/!(*.kernel|*Memory|*Leaks|DroppedReaders|TransportInterruption).test.ts"

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
      // Some of these count sockets, descriptors and bytes, so each file is alone in a process of its own.
      {
        extends: true,
        test: { name: "all", include: [`${files}.test.ts`], exclude: [hostile, modules], pool: "forks" }
      },
      // Each file of these takes less time than what it imports, so that they share it.
      {
        extends: true,
        test: { name: "shared", include: [hostile, modules], isolate: false }
      }
    ]
  }
})
