/**
 * The label values that one registry of metrics shows apart, who uses them, and the series of each.
 *
 * A machine without clock or effect. Guarantees: a level has no more names than its limit; a name keeps its series for as
 * long as it is used; of the names that are not used any more, only the last few keep theirs.
 */
import * as Context from "effect/Context"
import * as Metric from "effect/Metric"
import { type Bounded, type Instrument, type Labels, other, type Use } from "./model.ts"
import type { Observed } from "./observed.ts"
import { Recorded } from "./recorded.ts"

/** How many names of a level keep their series though they are not used any more. */
const maxUnused = 16

/** What tells a series from the other series of its registry. */
export const keyOf = (instrument: Instrument, labels: Labels<string>): string =>
  JSON.stringify([instrument.name, ...instrument.labels.map((label) => labels[label] ?? null)])

/** What a series is shared by: a name, or at the root all that has no name. */
class Name {
  private users = 0
  private readonly series = new Map<string, Recorded>()
  private readonly context: Context.Context<never>
  /** None at the root. */
  private readonly place:
    | { readonly level: Level; readonly key: string; readonly label: string; readonly around: Name }
    | undefined
  private isGone = false

  constructor(context: Context.Context<never>, place: Name["place"]) {
    this.context = context
    this.place = place
  }

  seriesOf(instrument: Instrument<"counter" | "histogram">, labels: Labels<string>): Recorded {
    if (this.isGone && this.place !== undefined) {
      const { around, label } = this.place
      return around.seriesOf(instrument, { ...labels, [label]: other })
    }
    const key = keyOf(instrument, labels)
    let one = this.series.get(key)
    if (one === undefined) this.series.set(key, one = new Recorded(instrument, labels, this.context))
    return one
  }

  use(): void {
    this.users++
    this.place?.level.unused.delete(this)
  }

  release(): void {
    if (--this.users > 0 || this.place === undefined) return
    const { unused } = this.place.level
    unused.add(this)
    for (const name of unused) if (unused.size > maxUnused) name.remove()
  }

  /** Removes its series. What no exporter has read of them counts as `_OTHER`, as does what is recorded from now on. */
  remove(): void {
    if (this.place === undefined) return
    const { around, key, level } = this.place
    this.isGone = true
    level.unused.delete(this)
    level.names.delete(key)
    for (const one of this.series.values()) one.moveTo(this.seriesOf(one.instrument, one.labels))
    this.series.clear()
    around.release()
  }
}

/** The names that are values of one label. */
class Level {
  readonly names = new Map<string, Name>()
  /** Those that are not used, the one that was used last at the end. */
  readonly unused = new Set<Name>()
}

/** One use of a name, or on the one around it that shows this one as `_OTHER`. */
class NameUse implements Use {
  readonly name: Name
  readonly labels: Use["labels"]
  private isReleased = false

  constructor(name: Name, labels: Use["labels"]) {
    this.name = name
    this.labels = labels
  }

  readonly series: Use["series"] = (instrument, others) => this.name.seriesOf(instrument, { ...others, ...this.labels })

  readonly release = () => {
    if (this.isReleased) return
    this.isReleased = true
    this.name.release()
  }
}

/** All that is ours in one registry of metrics. */
export class Registry {
  readonly context: Context.Context<never>
  readonly root: Name
  readonly observed = new Map<string, Observed>()
  private readonly levels = new WeakMap<Bounded, Level>()

  constructor(context: Context.Context<never>) {
    this.context = context
    this.root = new Name(context, undefined)
  }

  private levelOf(bounded: Bounded): Level {
    let level = this.levels.get(bounded)
    if (level === undefined) this.levels.set(bounded, level = new Level())
    return level
  }

  use(bounded: Bounded, values: Labels<string>): NameUse {
    const around = bounded.within === undefined ? this.useRoot() : this.use(bounded.within, values)
    const { label, limit } = bounded
    const value = values[label] ?? other
    const labels = { ...around.labels, [label]: value }
    const level = this.levelOf(bounded)
    const key = JSON.stringify(labels)
    const known = level.names.get(key)
    if (known !== undefined) {
      known.use()
      around.release()
      return new NameUse(known, labels)
    }
    if (level.names.size >= limit) {
      for (const oldest of level.unused) {
        oldest.remove()
        break
      }
    }
    // A name that is shown apart uses the name around it for as long as it is there.
    if (value === other || level.names.size >= limit) return new NameUse(around.name, { ...labels, [label]: other })
    const name = new Name(this.context, { level, key, label, around: around.name })
    level.names.set(key, name)
    name.use()
    return new NameUse(name, labels)
  }

  private useRoot(): NameUse {
    this.root.use()
    return new NameUse(this.root, {})
  }
}

const registries = new WeakMap<Metric.MetricRegistry, Registry>()

/** Only the registry of a context: without the attributes of the fiber that it belongs to. */
export const registryOf = (context: Context.Context<never>): Registry => {
  const registry = Context.get(context, Metric.MetricRegistry)
  let ours = registries.get(registry)
  if (ours === undefined) registries.set(registry, ours = new Registry(Context.make(Metric.MetricRegistry, registry)))
  return ours
}
