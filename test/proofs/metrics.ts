/**
 * The metrics of mixed calls, good and bad, equal the counts of the provider and the results of the callers.
 *
 * `npm run prove -- metrics [--scale small|full]`: 10,000 calls, or 400. Streams and complete responses, rejections,
 * retried failures, silence, resets, readers that leave and readers that are interrupted, in an order that a seed decides.
 * Each call has its own tenant.
 */
import { Caller, Retry, SessionMetrics, SessionRegistry } from "@clawback/core"
import { Attribute, Metrics } from "@clawback/core/Conventions"
import { NodeTransport } from "@clawback/node"
import { OpenAi, ProviderError } from "@clawback/providers"
import { Behavior, FaultyProvider, VendorErrors } from "@clawback/testing"
import {
  Cause,
  ConfigProvider,
  Deferred,
  type Duration,
  Effect,
  Exit,
  Fiber,
  Layer,
  Metric,
  Option,
  Stream
} from "effect"
import { type AiError, LanguageModel } from "effect/ai"
import { exit } from "node:process"
import * as Answers from "../support/openAiBehaviors.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"

const count = scale() === "small" ? 400 : 10_000
const concurrency = 16
const random = seeded(0x5eed)

const kinds = ["streamed", "whole", "refused", "flaky", "silent", "cut", "left", "interrupted"] as const
type Kind = typeof kinds[number]
type Tally = Record<string, number>

const add = (tally: Tally, key: string, by = 1) => void (tally[key] = (tally[key] ?? 0) + by)

/** What the provider did, by its own book. */
const given = { input: 0, output: 0, counted: 0, begun: 0 }
const seen = new Set<unknown>()
const isKind = (text: string): text is Kind => kinds.some((kind) => kind === text)

const handler: FaultyProvider.Handler = ({ body, headers }) => {
  const [kind = "", input = "", output = ""] = String(JSON.parse(body).messages[0].content).split(" ")
  const tokens = { input: Number(input), output: Number(output) }
  const answer = (isStream: boolean) => {
    given.input += tokens.input
    given.output += tokens.output
    given.counted++
    if (isStream) given.begun++
    return isStream ? Answers.streamed(tokens) : Answers.whole(tokens)
  }
  if (!isKind(kind)) return Behavior.status(400)
  switch (kind) {
    case "streamed":
      return answer(true)
    case "whole":
      return answer(false)
    case "refused":
      return VendorErrors.named("openai.invalid_api_key")
    case "flaky": {
      const key = headers["idempotency-key"]
      if (seen.has(key)) return answer(true)
      seen.add(key)
      return VendorErrors.named("openai.server_error")
    }
    case "silent":
      return Behavior.stall
    case "cut":
      given.begun++
      return Answers.cut
    case "left":
    case "interrupted":
      given.begun++
      return Answers.endless
  }
}

const ask = (kind: Kind, prompt: string) => {
  const stream = LanguageModel.streamText({ prompt })
  switch (kind) {
    case "whole":
      return LanguageModel.generateText({ prompt })
    case "left":
      return Stream.runDrain(Stream.take(stream, 2))
    case "interrupted":
      return Effect.gen(function*() {
        const begun = yield* Deferred.make<void>()
        const fiber = yield* Effect.forkChild(Stream.runForEach(stream, () => Deferred.succeed(begun, undefined)))
        yield* Effect.raceFirst(Deferred.await(begun), Fiber.join(fiber))
        yield* Fiber.interrupt(fiber)
      })
    default:
      return Stream.runDrain(stream)
  }
}

/** How a call ended, as its caller sees it. */
const endOf = (kind: Kind, exit: Exit.Exit<unknown, AiError.AiError>): string => {
  if (Exit.isSuccess(exit)) return kind === "left" || kind === "interrupted" ? "Interrupted" : ""
  const failure = Option.flatMap(Cause.findErrorOption(exit.cause), ProviderError.fromAiError)
  return Option.match(failure, { onNone: () => "unknown", onSome: ({ _tag }) => _tag })
}

const snapshotOf = Effect.map(Metric.snapshot, (all) =>
(
  { name }: { readonly name: string },
  labels: Readonly<Record<string, string>> = {}
) => {
  const found = all.filter(({ attributes, id }) =>
    id === name && Object.entries(labels).every(([label, value]) => attributes?.[label] === value)
  )
  const sum = (f: (one: Metric.Metric.Snapshot) => number) => found.reduce((sum, one) => sum + f(one), 0)
  return {
    series: found.length,
    count: sum((one) =>
      one.type === "Counter" ? Number(one.state.count) : one.type === "Histogram" ? one.state.count : 0
    ),
    sum: sum((one) => one.type === "Histogram" ? one.state.sum : 0),
    by: (label: string) => {
      const tally: Tally = {}
      for (const one of found) {
        const by = one.type === "Counter" ? Number(one.state.count) : one.type === "Histogram" ? one.state.count : 0
        add(tally, one.attributes?.[label] ?? "", by)
      }
      return tally
    }
  }
})

const sorted = (tally: Tally) => Object.entries(tally).toSorted(([one], [other]) => one < other ? -1 : 1)

const figure = (name: string, ours: unknown, theirs: unknown) => ({
  name,
  ours,
  theirs,
  met: JSON.stringify(ours) === JSON.stringify(theirs)
})

const program = Effect.gen(function*() {
  const provider = yield* FaultyProvider.make({ handler, keep: 0 })
  const modelOf = (firstToken: Duration.Input) =>
    Layer.fresh(OpenAi.layer({
      model: "gpt-5",
      baseUrl: `${provider.url}/v1`,
      timeouts: { firstToken },
      retry: Retry.jittered({ base: 0, budget: Retry.unlimited })
    }))
  const ends: Tally = {}
  const calls = Array.from(
    { length: count },
    (_, tenant) => ({ kind: kinds[Math.floor(random() * kinds.length)], tenant })
  )
  yield* Effect.gen(function*() {
    const patient = yield* Layer.build(modelOf("1 minute"))
    // For those that are never answered: any other could be late on a machine that is busy.
    const impatient = yield* Layer.build(modelOf("250 millis"))
    yield* Effect.forEach(calls, ({ kind = "whole", tenant }) => {
      const prompt = [kind, Math.ceil(random() * 1000), Math.ceil(random() * 1000)].join(" ")
      return ask(kind, prompt).pipe(
        Effect.provideContext(kind === "silent" ? impatient : patient),
        Effect.exit,
        Effect.tap((exit) => Effect.sync(() => add(ends, endOf(kind, exit)))),
        Caller.provide({ tenant: `tenant ${tenant}`, conversation: `conversation ${tenant}` }),
        Effect.provideService(Metric.CurrentMetricAttributes, { tenant: `tenant ${tenant}` })
      )
    }, { concurrency, discard: true })
  }).pipe(
    Effect.scoped,
    Effect.provide(Layer.provideMerge(
      NodeTransport.layer({ connections: concurrency }),
      ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: "sk-nobody" }))
    ))
  )
  const counts = yield* provider.until(({ inFlight, open }) => open === 0 && inFlight === 0)
  const of = yield* snapshotOf

  const all = (yield* Metric.snapshot).length
  const timeouts = of(Metrics.timeouts)
  const opened = (kind: string) => of(Metrics.sessionsOpened, { [Attribute.sessionKind]: kind }).count
  const figures = [
    figure("calls", of(Metrics.callDuration).count, count),
    figure("calls by how they ended", sorted(of(Metrics.callDuration).by(Attribute.errorType)), sorted(ends)),
    figure("attempts", of(Metrics.attempts).count, counts.received),
    figure("retries", of(Metrics.retries).by(Attribute.errorType), { ProviderFailed: counts.received - count }),
    figure("first outputs", of(Metrics.timeToFirstChunk).count, given.begun),
    figure("input tokens", of(Metrics.tokenUsage, { [Attribute.tokenType]: "input" }).sum, given.input),
    figure("output tokens", of(Metrics.tokenUsage, { [Attribute.tokenType]: "output" }).sum, given.output),
    figure("answers with usage", of(Metrics.tokenUsage, { [Attribute.tokenType]: "input" }).count, given.counted),
    figure("timeouts", timeouts.by(Attribute.timeoutKind), { first_token: ends["FirstTokenTimeout"] }),
    figure("connections made", of(Metrics.connectionCreateTime).count, counts.accepted),
    figure("connection sessions", opened("connection"), counts.accepted),
    figure("exchange sessions", opened("exchange"), counts.received),
    figure("call sessions", opened("call"), count),
    figure("sessions closed", of(Metrics.sessionsClosed).count, of(Metrics.sessionsOpened).count)
  ]
  for (const { met, name, ours, theirs } of figures) {
    console.log(`${met ? "met " : "MISS"}  ${name}: ours ${JSON.stringify(ours)}, theirs ${JSON.stringify(theirs)}`)
  }
  console.log(`${all} series, with ${count} tenants`)
  const met = figures.every((one) => one.met) && all < 60
  console.log(JSON.stringify({ name: "metrics", met, calls: count, series: all, provider: counts, figures }))
  return met
}).pipe(
  Effect.scoped,
  Effect.provide(SessionMetrics.layer.pipe(Layer.provideMerge(SessionRegistry.layer()))),
  Effect.provideService(Metric.MetricRegistry, new Map())
)

exit((await Effect.runPromise(program)) ? 0 : 1)
