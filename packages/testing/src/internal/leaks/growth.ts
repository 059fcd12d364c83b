/** Measures whether a program leaves more with each run. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as ReadableError from "@clawback/core/ReadableError"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import * as NodeProbes from "@clawback/node/NodeProbes"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Metric from "effect/Metric"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Collector from "./collector.ts"
import { slope } from "./slope.ts"

export interface GrowthOptions {
  /**
   * Bytes by which the heap may grow with each run. Default: 64. Too low, and more runs are needed to tell growth from what
   * the engine does by itself; too high, and slow growth passes.
   */
  readonly limit?: number | undefined
  /**
   * Runs before the first sample. Default: 300. Too few, and the one-time setup of engine and program counts as growth.
   */
  readonly warmUp?: number | undefined
  /** Runs between two samples. Default: 100. Too few, and growth cannot be told from chance; too many, and it takes long. */
  readonly runs?: number | undefined
  /**
   * The most samples, at least 10. Default: 40. A program can pass from the tenth on. Too few, and a program that warms up for
   * long, or whose heap varies, does not pass; too many, and a program that grows takes long to fail.
   */
  readonly samples?: number | undefined
}

/** The growth with each run: the median, and the ends of the 95 % interval. */
export const PerRun = Schema.Struct({ slope: Schema.Number, lower: Schema.Number, upper: Schema.Number })
export type PerRun = typeof PerRun.Type

/** The measurements. */
export class Growth extends Schema.Class<Growth>("@clawback/testing/Growth")({
  /** All runs, with those before the first sample. */
  runs: Schema.Int,
  /** All samples. The later half is judged, at least ten. */
  samples: Schema.Int,
  /** Bytes by which the heap may grow. */
  limit: Schema.Number,
  bytes: PerRun,
  sessions: PerRun,
  fibers: PerRun,
  descriptors: PerRun
}) {}

const figure = (value: number) => value.toLocaleString("en", { maximumFractionDigits: Math.abs(value) < 10 ? 2 : 0 })

const said = ({ lower, slope, upper }: PerRun) => `${figure(slope)} (95 %: ${figure(lower)} to ${figure(upper)})`

const counted = ["sessions", "fibers", "descriptors"] as const

/** Something grows with each run, or the measurements are too noisy to exclude that. */
export class GrowthFound extends ReadableError.tagged<GrowthFound>("@clawback/testing/GrowthFound")("GrowthFound", {
  growth: Growth
}) {
  override get message() {
    const { bytes, limit, runs } = this.growth
    const others = counted.filter((name) => this.growth[name].lower > 0)
    const isHeap = bytes.upper > limit
    const lines = [
      ...(isHeap ? [`bytes of the heap per run: ${said(bytes)}, and at most ${figure(limit)} are allowed`] : []),
      ...others.map((name) => `${name} per run: ${said(this.growth[name])}`)
    ]
    const advice = isHeap && bytes.lower <= limit && others.length === 0
      ? "This may be chance. Use more `runs` or `samples`, or a longer `warmUp` if caches still fill."
      : others.length > 0
      ? "Each run leaves some. Run it once with `LeakCheck.check`, which reports where they come from."
      : "Something that outlives the runs keeps objects of each run: a map without a limit, a listener that is not removed, " +
        "a scope that is not closed. Compare two heap snapshots, with runs between them."
    return `The program grows, after ${figure(runs)} runs:\n${lines.map((line) => `    ${line}`).join("\n")}\n${advice}`
  }
}

interface Sample {
  readonly runs: number
  readonly bytes: number
  readonly sessions: number
  readonly fibers: number
  readonly descriptors: number
}

/** The least number of judged samples. */
const fewest = 10

/** Of the later half: in the earlier one, program and engine may still warm up. */
const grown = (samples: ReadonlyArray<Sample>, limit: number): Growth => {
  const later = samples.slice(-Math.max(fewest, samples.length >> 1))
  const perRun = (name: keyof Sample) => slope(later.map((sample) => ({ x: sample.runs, y: sample[name] })))
  return new Growth({
    runs: samples.at(-1)?.runs ?? 0,
    samples: samples.length,
    limit,
    bytes: perRun("bytes"),
    sessions: perRun("sessions"),
    fibers: perRun("fibers"),
    descriptors: perRun("descriptors")
  })
}

/** Counts the running fibers that a program has started, at any depth. */
class Running implements Metric.FiberRuntimeMetricsService {
  size = 0
  private readonly others: Metric.FiberRuntimeMetricsService | undefined

  constructor(others: Metric.FiberRuntimeMetricsService | undefined) {
    this.others = others
  }

  readonly recordFiberStart: Metric.FiberRuntimeMetricsService["recordFiberStart"] = (context) => {
    this.size++
    this.others?.recordFiberStart(context)
  }

  readonly recordFiberEnd: Metric.FiberRuntimeMetricsService["recordFiberEnd"] = (context, exit) => {
    this.size--
    this.others?.recordFiberEnd(context, exit)
  }
}

const sum = (counts: Readonly<Record<string, number>>) => Object.values(counts).reduce((one, other) => one + other, 0)

const ofProcess = Context.get(Context.empty(), SessionRegistry.SessionRegistry)

/** Whether the counts do not grow, and the heap stays within the limit. */
const isFlat = ({ bytes, limit, ...growth }: Growth) =>
  bytes.upper <= limit && counted.every((name) => growth[name].lower <= 0)

export const measure = <A, E, R>(
  effect: Effect.Effect<A, E, R>,
  options: GrowthOptions = {}
): Effect.Effect<Growth, E | GrowthFound | Collector.CollectorUnavailable, Exclude<R, Scope.Scope>> =>
  Effect.gen(function*() {
    const limit = OptionCheck.count("limit", options.limit ?? 64, 0)
    const warmUp = OptionCheck.count("warmUp", options.warmUp ?? 300, 0)
    const perSample = OptionCheck.count("runs", options.runs ?? 100, 1)
    const most = OptionCheck.count("samples", options.samples ?? 40, fewest)
    const registry = Context.get(yield* Layer.build(SessionRegistry.layer()), SessionRegistry.SessionRegistry)
    yield* Effect.addFinalizer(() => registry.revoke({}, { reason: "a run left it behind", deadline: 0 }))
    const running = new Running(yield* Metric.FiberRuntimeMetrics)
    let runs = 0
    const run = (times: number) =>
      Effect.gen(function*() {
        for (let time = 0; time < times; time++) {
          // On its own fiber, so that its children end with it.
          yield* Effect.flatMap(Effect.forkChild(Effect.scoped(effect)), Fiber.join)
        }
        runs += times
      }).pipe(
        Effect.provideService(SessionRegistry.SessionRegistry, registry),
        Effect.provideService(Metric.FiberRuntimeMetrics, running)
      )
    const look = Effect.gen(function*() {
      const bytes = yield* Collector.bytes
      const descriptors = yield* Effect.orElseSucceed(NodeProbes.descriptors(), () => 0)
      const sessions = sum(yield* registry.counts) + sum(yield* ofProcess.counts)
      return { runs, bytes, descriptors, sessions, fibers: running.size }
    })
    yield* run(warmUp)
    const samples: Array<Sample> = []
    while (true) {
      yield* run(perSample)
      samples.push(yield* look)
      if (samples.length < fewest) continue
      const growth = grown(samples, limit)
      const isLast = samples.length >= most
      // A heap that shrinks as fast is not stable yet.
      if (isFlat(growth) && (isLast || growth.bytes.lower >= -limit)) return growth
      if (isLast) return yield* new GrowthFound({ growth })
    }
  }).pipe(Effect.scoped)
