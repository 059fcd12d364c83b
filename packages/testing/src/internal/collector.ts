import type { LeakProbe } from "@clawback/core/LeakProbe"
import type { Draws } from "./draws.ts"

/** How often the collector of a run collects. Each seed draws its own, and some never collect before `heal`. */
const rates = [0, 1 / 64, 1 / 8, 1 / 2] as const

/** What a collector needs from its run. */
interface Host {
  readonly draws: Draws
  readonly isHealed: boolean
  note(text: string): void
  /** Counts a fault that happened. */
  occur(fault: string): void
}

/** One callback that waits for an object to be lost. */
interface Watch {
  readonly onLost: () => void
}

interface Lost {
  readonly watch: Watch
  readonly watches: Set<Watch>
  readonly fault: string
}

/**
 * A garbage collector that the seed controls: the program declares what is lost, and the run decides when that is noticed.
 *
 * Each callback is a step of its own, outside of every fiber, as with `FinalizationRegistry`.
 */
export class Collector {
  private readonly watched = new WeakMap<object, Set<Watch>>()
  /** What is lost, and by which fault. It may become watched only after that. */
  private readonly faults = new WeakMap<object, string>()
  private readonly lost: Array<Lost> = []
  private rate: number | undefined = undefined
  private readonly run: Host

  constructor(run: Host) {
    this.run = run
  }

  /** A probe that also passes on each object that it is to watch. */
  probe(onWatch?: (target: object) => void): LeakProbe {
    return {
      watch: (target, onLost) => {
        const watches = this.watched.get(target) ?? new Set()
        this.watched.set(target, watches)
        const watch: Watch = { onLost }
        watches.add(watch)
        const fault = this.faults.get(target)
        if (fault !== undefined) this.lost.push({ watch, watches, fault })
        onWatch?.(target)
        return () => void watches.delete(watch)
      }
    }
  }

  /** From now on the object may be collected. */
  lose(target: object, fault: string): void {
    const watches = this.watched.get(target)
    this.watched.delete(target)
    this.faults.set(target, fault)
    this.rate ??= this.run.draws.one(rates)
    if (watches === undefined) return
    for (const watch of watches) this.lost.push({ watch, watches, fault })
  }

  /** Collects one object if the seed decides so, and after `heal` everything that is lost. */
  look(): void {
    const { lost, run } = this
    while (lost.length > 0 && (run.isHealed || run.draws.isHit(this.rate ?? 0))) {
      const [next] = lost.splice(run.draws.below(lost.length), 1)
      if (next === undefined || !next.watches.delete(next.watch)) continue
      if (run.isHealed) run.note(`late ${next.fault}`)
      else run.occur(next.fault)
      next.watch.onLost()
      if (!run.isHealed) return
    }
  }
}
