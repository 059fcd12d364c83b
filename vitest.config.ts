import { defineConfig } from "vitest/config"
import Summary from "./scripts/summary.ts"

const files = "{packages/*/,}test/**/*"

export default defineConfig({
  ssr: { resolve: { conditions: ["@clawback/source"] } },
  test: {
    reporters: ["default", new Summary()],
    projects: [
      { extends: true, test: { name: "all", include: [`${files}.test.ts`], exclude: [`${files}.kernel.test.ts`] } },
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
