/** What the processes of the proof of leases have done, and whether that was right. */
import { readFileSync } from "node:fs"
import type { Event } from "./leaseHolders.ts"

/** When one process held one lease. */
interface Span {
  readonly key: string
  readonly token: number
  readonly pid: number
  readonly from: number
  /** When its work ended, or its process did. */
  readonly to: number
}

interface Write {
  readonly at: number
  readonly key: string
  readonly token: number
}

interface Attempt {
  readonly at: number
  readonly took: number
  readonly error: string | undefined
}

export interface History {
  readonly spans: ReadonlyArray<Span>
  readonly writes: ReadonlyArray<Write>
  readonly attempts: ReadonlyArray<Attempt>
}

/** A process, its file of events, and when it was stopped for good or paused, if it was. */
export interface Source {
  readonly pid: number
  readonly file: string
  readonly endedAt: number | undefined
  readonly pausedAt: ReadonlyArray<number>
}

/** Reads all files. A line that a kill cut off is left out. */
export const read = (sources: ReadonlyArray<Source>, until: number): History => {
  const spans: Array<Span> = []
  const writes: Array<Write> = []
  const attempts: Array<Attempt> = []
  for (const { endedAt = until, file, pausedAt, pid } of sources) {
    const open = new Map<string, Write>()
    for (const line of readFileSync(file, "utf8").split("\n")) {
      if (!line.endsWith("}")) continue
      const event = JSON.parse(line) as Event
      if (event.type === "attempt") {
        attempts.push(event)
        continue
      }
      const { at, key, token } = event
      if (event.type === "write") writes.push({ at, key, token })
      else if (event.type === "begin") open.set(`${key} ${token}`, event)
      else {
        const begun = open.get(`${key} ${token}`)
        open.delete(`${key} ${token}`)
        if (begun === undefined) continue
        // While it is paused it does nothing, and what it does then is judged by its writes.
        const pause = pausedAt.find((pause) => pause > begun.at && pause < at)
        spans.push({ key, token, pid, from: begun.at, to: pause ?? at })
      }
    }
    for (const { at, key, token } of open.values()) spans.push({ key, token, pid, from: at, to: endedAt })
  }
  return {
    spans: spans.toSorted((one, other) => one.from - other.from),
    writes: writes.toSorted((one, other) => one.at - other.at),
    attempts
  }
}

/** The most leases of a key that were held at the same time. */
export const most = ({ spans }: History, key: string): number => {
  const changes = spans.filter((span) => span.key === key).flatMap(({ from, to }) => [[from, 1], [to, -1]] as const)
  let held = 0
  let highest = 0
  for (const [, change] of changes.toSorted(([a, one], [b, other]) => a - b || one - other)) {
    held += change
    highest = Math.max(highest, held)
  }
  return highest
}

/** When, from a moment on, as many leases of a key were held at the same time. */
export const fullAt = ({ spans }: History, key: string, count: number, from: number): number => {
  const all = spans.filter((span) => span.key === key && span.to > from)
  const moments = [from, ...all.map((span) => span.from).filter((at) => at > from)].toSorted((a, b) => a - b)
  return moments.find((at) => all.filter((span) => span.from <= at && span.to > at).length >= count) ?? Infinity
}

/** Tokens of a lock that were not higher than the one before. */
export const disorders = ({ spans, writes }: History, key: string): number => {
  let count = 0
  for (const list of [spans.filter((span) => span.key === key), writes.filter((write) => write.key === key)]) {
    let highest = 0
    for (const { token } of list) {
      if (token < highest) count++
      highest = Math.max(highest, token)
    }
  }
  return count
}

/** How many grants have the token of another one. */
export const duplicates = ({ spans }: History): number =>
  spans.length - new Set(spans.map(({ key, token }) => `${key} ${token}`)).size
