/** The same users for both applications: who writes what when, and what their chatbot must remember. */
import { createHash } from "node:crypto"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { env } from "node:process"

/** What one user writes, what the model answers, and when. */
export interface Turn {
  readonly conversation: string
  /** Milliseconds since the beginning. */
  readonly at: number
  readonly question: string
  readonly answer: string
}

export interface Traffic {
  readonly turns: Iterable<Turn>
  readonly source: string
}

const samples = { trace: import.meta.dirname, texts: join(import.meta.dirname, "../../test/data") }

const file = (folder: string, name: string): string => readFileSync(join(env["CLAWBACK_DATA"] ?? folder, name), "utf8")

/** Requests of a production service: when each came, and how many tokens it had and got. */
const trace = () =>
  file(samples.trace, "azure-llm-conv-2023.csv").trim().split("\n").slice(1).map((line) => {
    const [time = "", context, generated] = line.split(",")
    return {
      at: Date.parse(`${time.replace(" ", "T").slice(0, 23)}Z`),
      context: Number(context),
      generated: Number(generated)
    }
  })

/** What customers and agents of an airline wrote. */
const texts = (): string =>
  file(samples.texts, "tau-bench-airline-1.jsonl").trim().split("\n")
    .flatMap((line) => JSON.parse(line).messages)
    .flatMap(({ content, role }) => typeof content === "string" && role !== "system" ? [content] : [])
    .join("\n")

/** How many users write at a time, and how many messages one of them writes, most often. */
const users = 300
const turnsOf = [2, 3, 4, 5, 6, 8, 10, 40]
/** The share of users who come back later, after their conversation was forgotten. */
const returning = 0.05
const absence = 45 * 60_000

/** xorshift32: the same for both applications. */
const random = (seed: number) => () => {
  seed ^= seed << 13
  seed ^= seed >>> 17
  seed ^= seed << 5
  return (seed >>> 0) / 2 ** 32
}

const charactersOfToken = 4

/** The turns of the trace, which begins again when it ends. */
export const traffic = (turns: number): Traffic => {
  const rows = trace()
  const corpus = texts()
  const [first] = rows
  const last = rows.at(-1)
  if (first === undefined || last === undefined) throw new Error("the trace is empty")
  const period = last.at - first.at + 1_000

  const generate = function*(): Generator<Turn> {
    const next = random(7)
    const active: Array<{ id: string; left: number }> = []
    const away: Array<{ id: string; at: number }> = []
    let begun = 0
    /** A copy of its own: a slice would keep the whole text. */
    const text = (tokens: number): string => {
      const length = Math.max(20, tokens * charactersOfToken)
      const from = Math.floor(next() * (corpus.length - length))
      return Buffer.from(corpus.slice(from, from + length)).toString()
    }
    for (let turn = 0; turn < turns; turn++) {
      const row = rows[turn % rows.length] ?? first
      const at = row.at - first.at + Math.floor(turn / rows.length) * period
      while (active.length < users) {
        const [back] = away
        const id = back !== undefined && back.at <= at ? (away.shift() ?? back).id : `user-${++begun}`
        active.push({ id, left: turnsOf[Math.floor(next() * turnsOf.length)] ?? 1 })
      }
      const chosen = Math.floor(next() * active.length)
      const user = active[chosen]
      if (user === undefined) continue
      yield {
        conversation: user.id,
        at,
        question: text(Math.min(2_000, row.context)),
        answer: text(Math.min(1_000, row.generated))
      }
      if (--user.left > 0) continue
      active.splice(chosen, 1)
      if (next() < returning) away.push({ id: user.id, at: at + absence })
    }
  }
  return {
    turns: { [Symbol.iterator]: generate },
    source: `${rows.length} requests of a production trace, over and over`
  }
}

const hash = (text: string): number => createHash("sha1").update(text).digest().readUInt32LE()

/** What a chatbot must remember, in little memory: a number for each message. */
export class Memory {
  private readonly known = new Map<string, { at: number; messages: Array<number>; bytes: number }>()
  private readonly idle: number
  private readonly whole: number
  wrong = 0
  checked = 0

  /** It must remember a conversation that is used within `idle`, and all of it up to `whole` bytes. */
  constructor(idle: number, whole: number) {
    this.idle = idle
    this.whole = whole
  }

  /** How many conversations were used within the time. */
  get size(): number {
    return this.known.size
  }

  /** Judges what a chatbot remembers before a turn. */
  check({ at, conversation }: Turn, remembered: ReadonlyArray<string>, isForgetful: boolean): void {
    if (isForgetful) {
      for (const [id, { at: used }] of this.known) {
        if (at - used <= this.idle) break
        this.known.delete(id)
      }
    }
    const expected = this.known.get(conversation)
    const messages = expected?.messages ?? []
    const hashes = remembered.map(hash)
    const isEnd = hashes.every((value, index) => value === messages[messages.length - hashes.length + index])
    const isWhole = hashes.length === messages.length
    this.checked++
    if (!isEnd || !(isWhole || (expected?.bytes ?? 0) > this.whole)) this.wrong++
  }

  /** Notes what it must remember from now on. */
  note({ answer, at, conversation, question }: Turn): void {
    const expected = this.known.get(conversation) ?? { at, messages: [], bytes: 0 }
    // The last used conversation stands last.
    this.known.delete(conversation)
    this.known.set(conversation, expected)
    expected.at = at
    expected.messages.push(hash(question), hash(answer))
    expected.bytes += question.length + answer.length
  }
}
