import { join } from "node:path"
import { env } from "node:process"
import { defineConfig } from "vitest/config"
import SlowFirst from "./scripts/slowFirst.ts"
import Summary from "./scripts/summary.ts"

// Many tests start programs of ours. What Node.js has compiled for one of them serves the next.
env["NODE_COMPILE_CACHE"] ??= join(import.meta.dirname, "node_modules/.cache/compiled")

const files = "{packages/*/,}test/**/*"

export default defineConfig({
  ssr: { resolve: { conditions: ["@clawback/source"] } },
  test: {
    reporters: ["default", new Summary()],
    sequence: { sequencer: SlowFirst },
    // Far more than any takes, but for machines that have much else to do.
    testTimeout: 20_000,
    projects: [
      {
        extends: true,
        test: {
          name: "all",
          include: [`${files}.test.ts`],
          exclude: [`${files}.kernel.test.ts`, "test/hostile/first/**"],
          // By itself, Vitest leaves one core to its own process, which has little to do.
          maxWorkers: "100%"
        }
      },
      // Hundreds of small programs, most of which take less time than what they import.
      {
        extends: true,
        test: {
          name: "hostile",
          include: ["test/hostile/first/*.test.ts"],
          isolate: false,
          maxWorkers: "100%"
        }
      },
      // These count sockets and descriptors, so each runs alone, in a process of its own.
      {
        extends: true,
        test: {
          name: "kernel",
          include: [`${files}.kernel.test.ts`],
          pool: "forks",
          maxWorkers: 1,
          sequence: { groupOrder: 1 }
        }
      }
    ]
  }
})
