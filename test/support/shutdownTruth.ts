/** What really happened in a simulated shutdown, to check its report. */
import type * as ShutdownReport from "@clawback/core/ShutdownReport"
import { Simulation } from "@clawback/testing"
import { Effect } from "effect"

export const limits = { unready: 20, stop: 20, drain: 100, persist: 40, interrupt: 40, close: 40 }
export interface Piece {
  readonly parent: Piece | undefined
  id: number | undefined
  /** Whether it, or something inside of it, has not listened to being told to end. */
  isDeaf: boolean
  /** Whether it, or something inside of it, waits for the shutdown. */
  waits: boolean
}

/** A session that nobody admitted. */
export interface Bystander {
  readonly id: number
  /** Whether work was done in it; otherwise it was merely held. */
  readonly isWork: boolean
  /** Whether it was opened inside of other such work. */
  readonly isInside: boolean
  readonly begunAt: number
  /** Whether what was done in it came to its end. */
  hasSucceeded: boolean
  /** Whether whoever began it got to the end of it. */
  isComplete: boolean
  /** Whether it ended because its program was taken apart. */
  isTakenApart: boolean
}

/** What truly happened, by which the report is judged. */
export class Truth {
  /** When each state was entered. */
  readonly at = new Map<ShutdownReport.State, number>()
  hasStopped = false
  hasPersisted = false
  /** When requests came, and how the second and third were answered. */
  hurriedAt: number | undefined
  abandonedAt: number | undefined
  readonly live = new Set<Piece>()
  lastEnd = 0
  /** How long nothing had been waited for when the persisters ran. */
  quietFor = 0
  /** Ids of work that was cut short by the shutdown. */
  readonly cut = new Set<number>()
  readonly ended = new Map<number, number>()
  readonly reports = new Set<ShutdownReport.Report>()
  /** Finalizers by name: how often each was run, and what it came to. */
  readonly runs = new Map<string, number>()
  readonly hung = new Set<string>()
  readonly failed = new Set<string>()
  /** Names of sessions that cannot be released. */
  readonly unreleasable = new Set<string>()
  finalizers = 0
  readonly bystanders = new Map<number, Bystander>()
  /** When the program was told to end. */
  takenApartAt: number | undefined
}

export const excused = (piece: Piece): boolean => {
  for (let at: Piece | undefined = piece; at !== undefined; at = at.parent) if (at.waits) return true
  return false
}

export const judge = (truth: Truth, report: ShutdownReport.Report) =>
  Effect.gen(function*() {
    const overAt = truth.at.get("done") ?? 0
    const begunAt = truth.at.get("unready") ?? 0
    const { close, drain, interrupt, persist, stop, unready } = limits
    yield* Simulation.check("every caller gets the same report", truth.reports.size === 1)
    yield* Simulation.check(
      "a shutdown ends within its limit",
      overAt - begunAt <= unready + stop + drain + persist + interrupt + close + 1,
      () => `${overAt - begunAt} ms`
    )
    if (truth.hurriedAt !== undefined) {
      yield* Simulation.check(
        "a second escalation ends the drain",
        overAt - truth.hurriedAt <= stop + persist + interrupt + close + 1,
        () => `${overAt - truth.hurriedAt!} ms`
      )
    }
    if (truth.abandonedAt !== undefined && truth.abandonedAt < overAt) {
      yield* Simulation.check("a third escalation ends the shutdown at once", overAt - truth.abandonedAt <= 1)
      yield* Simulation.check("a shutdown that a signal abandons has the signal's exit code", report.exitCode === 143)
    }
    const drained = report.phases.find(({ phase }) => phase === "drain")
    const finalizers = drained === undefined
      ? 0
      : drained.finished.length + drained.failed.length + drained.interrupted.length
    yield* Simulation.check(
      "a drain does not wait for work that has ended, nor for work that waits for the shutdown",
      truth.quietFor < 50 || finalizers > 0 || drained?.outcome !== "overran",
      () => `${truth.quietFor} ms after the last piece`
    )
    const isAbandoned = truth.abandonedAt !== undefined
    const named = new Set([...report.interrupted, ...report.stuck].map(({ id }) => id))
    yield* Simulation.check(
      "work that was cut short is named",
      [...truth.cut].every((id) => named.has(id)),
      () => [...truth.cut].join()
    )
    const finalizersNamed = new Set([...report.interrupted, ...report.stuck].map(({ name }) => name))
    for (const name of truth.hung) {
      yield* Simulation.check("a finalizer that hangs is named", finalizersNamed.has(name), name)
    }
    const failures = new Set(report.failed.map(({ finalizer }) => finalizer.name))
    for (const name of truth.failed) {
      yield* Simulation.check("a finalizer that fails is named", failures.has(name) || finalizersNamed.has(name), name)
    }
    for (const [name, runs] of truth.runs) yield* Simulation.check("a finalizer is run once", runs === 1, name)
    for (const { id } of report.phases.flatMap(({ stuck }) => stuck)) {
      const endedAt = id === undefined ? undefined : truth.ended.get(id)
      yield* Simulation.check(
        "work that has ended is not named as stuck",
        endedAt === undefined || endedAt >= overAt - 200
      )
    }
    if (!isAbandoned) {
      for (const { kind, name } of report.stuck) {
        yield* Simulation.check(
          "what sessions still hold is released by force, unless that is impossible",
          kind !== "held" || truth.unreleasable.has(name),
          name
        )
      }
      const isBad = [...truth.hung].some((name) => !name.startsWith("drain")) || truth.failed.size > 0
      yield* Simulation.check("the exit code is 1 if something hangs or fails", !isBad || report.exitCode === 1)
    }
    const cut = [...truth.bystanders.values()].filter((one) =>
      one.isWork && !one.isInside && !one.hasSucceeded && one.isTakenApart && one.begunAt < truth.takenApartAt!
    )
    const everyNamed = new Set([...report.interrupted, ...report.forced, ...report.stuck].map(({ id }) => id))
    yield* Simulation.check(
      "work that was not admitted is named if the end of its program cut it short",
      cut.every(({ id }) => everyNamed.has(id)),
      () => JSON.stringify(cut)
    )
    for (const { id } of report.phases.find(({ phase }) => phase === "interrupt")?.interrupted ?? []) {
      const one = id === undefined ? undefined : truth.bystanders.get(id)
      yield* Simulation.check(
        "sessions that are only held, ended by themselves or belong to other work are not named as cut short",
        one === undefined || (one.isWork && !one.isInside && !one.isComplete),
        () => JSON.stringify(one)
      )
    }
    yield* Simulation.check(
      "exit code 0 means that nothing was cut short",
      report.exitCode !== 0 || report.signal === undefined || truth.cut.size + cut.length === 0
    )
  })
