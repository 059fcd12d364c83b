/** One of the two applications, in a process of its own: answers all turns, and prints samples as lines of JSON. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { argv, exit, memoryUsage, stdout } from "node:process"
import { budget, clawback } from "./clawback.ts"
import { naive } from "./naive.ts"
import { Memory, traffic } from "./traffic.ts"

export interface Sample {
  /** Turns so far, and hours of the trace. */
  readonly turns: number
  readonly hours: number
  /** Conversations that users have begun, and that they have used within half an hour. */
  readonly begun: number
  readonly live: number
  /** Bytes after a garbage collection, without those of the beginning. */
  readonly bytes: number
  /** Milliseconds of a turn since the last sample. */
  readonly median: number
  readonly p99: number
  readonly checked: number
  readonly wrong: number
}

const [, , name, turns = "1000", every = "1000"] = argv

const collect = globalThis.gc
if (collect === undefined) throw new Error("start it with --expose-gc")

const held = () => {
  collect()
  const { arrayBuffers, heapUsed } = memoryUsage()
  return heapUsed + arrayBuffers
}

const folder = mkdtempSync(join(tmpdir(), "chatbot-memory-"))
process.once("exit", () => rmSync(folder, { recursive: true }))
const chatbot = name === "naive" ? naive() : clawback(join(folder, "conversations.db"))
const half = 30 * 60_000
// Tokens are estimated by bytes. A history of one byte a token is far from its budget, also with the next question.
const memory = new Memory(half, budget)
const begun = new Set<string>()
let times: Array<number> = []
let count = 0
let base = 0

for (const turn of traffic(Number(turns)).turns) {
  await chatbot.pass(turn.at)
  const began = performance.now()
  await chatbot.answer(turn, (messages) => {
    memory.check(turn, messages.slice(0, -1), chatbot.isForgetful)
    return turn.answer
  })
  times.push(performance.now() - began)
  memory.note(turn)
  begun.add(turn.conversation)
  count++
  // What is loaded once, such as code, is there after the first turns.
  if (count === 200) base = held()
  if (count % Number(every) !== 0) continue
  const sorted = times.toSorted((one, other) => one - other)
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? 0
  const sample: Sample = {
    turns: count,
    hours: turn.at / 3_600_000,
    begun: begun.size,
    live: memory.size,
    bytes: held() - base,
    median: at(0.5),
    p99: at(0.99),
    checked: memory.checked,
    wrong: memory.wrong
  }
  stdout.write(`${JSON.stringify(sample)}\n`)
  times = []
}
await chatbot.close()
exit(0)
