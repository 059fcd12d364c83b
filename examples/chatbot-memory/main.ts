/**
 * Chatbot memory: what becomes of a chatbot that keeps each history in a map for ever, and of one that forgets in time:
 * `npm run example -- chatbot-memory`.
 *
 * Two applications get the same turns, each in a process of its own with the same heap. The turns are those of a production trace,
 * the texts those of real conversations.
 *
 * - `--turns 30000` sets how many there are.
 * - `--heap 128` sets the heap of each process in megabytes.
 * - `--out FILE` is where the plot goes, by default `chatbot-memory.svg` in the current folder.
 */
import { NodeShutdown } from "@clawback/node"
import { Console, Effect } from "effect"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { execPath } from "node:process"
import { createInterface } from "node:readline"
import { parseArgs } from "node:util"
import type { Sample } from "./application.ts"
import { plot } from "./plot.ts"
import { type Recording, table } from "./table.ts"
import { traffic } from "./traffic.ts"

const { values: { heap, out, turns } } = parseArgs({
  options: {
    turns: { type: "string", default: "30000" },
    heap: { type: "string", default: "128" },
    out: { type: "string", default: "chatbot-memory.svg" }
  }
})

for (const [name, value, least, most] of [["turns", turns, 1_000, 10_000_000], ["heap", heap, 16, 4096]] as const) {
  if (Number.isInteger(Number(value)) && Number(value) >= least && Number(value) <= most) continue
  console.error(`--${name} must be a whole number from ${least} to ${most}, not ${value}`)
  process.exit(2)
}

/** A hundred samples of each application. */
const every = Math.max(100, Math.floor(Number(turns) / 100))

/** Runs one application, which ends if this is interrupted. */
const record = (name: string) =>
  Effect.acquireUseRelease(
    Effect.sync(() =>
      spawn(execPath, [
        "--conditions=@clawback/source",
        "--expose-gc",
        `--max-old-space-size=${heap}`,
        join(import.meta.dirname, "application.ts"),
        name,
        turns,
        String(every)
        // What Node.js prints when it dies of its heap is long, and always the same.
      ], { stdio: ["ignore", "pipe", "ignore"] })
    ),
    (child) =>
      Effect.promise(async (): Promise<Recording> => {
        const samples: Array<Sample> = []
        const exited = once(child, "exit")
        for await (const line of createInterface(child.stdout)) samples.push(JSON.parse(line))
        const [code, signal] = await exited
        return { name, samples, died: code === 0 ? undefined : signal ?? `exit code ${code}` }
      }),
    (child) => Effect.sync(() => child.kill("SIGKILL"))
  )

const program = Effect.gen(function*() {
  yield* Console.log(`${turns} turns, from ${traffic(0).source}; ${heap} MB of heap for each application …`)
  const recordings = yield* Effect.forEach(["naive", "clawback"], record, { concurrency: 2 })
  yield* Console.log(table(recordings))
  yield* Effect.promise(() => writeFile(out, plot(recordings)))
  yield* Console.log(`\nThe plot is in ${out}`)
})

NodeShutdown.runMain(program)
