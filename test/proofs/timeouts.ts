/**
 * Timeouts and retries keep their limits over real sockets.
 *
 * `npm run prove -- timeouts [--scale small|full]`, with providers in processes of their own:
 * - Each of the five limits fires alone, with its own error, within 20 ms or 5 % of a second, 20 times in each of eight
 *   situations (small: 3). A plain timer of Node that is set at the same moment shows how punctual the machine is. If it is
 *   more than 10 ms late, the measurement is repeated. Small judges medians.
 * - Deadlines are nested at random: the earliest one applies, and none outlives the one around it. Full also judges the median
 *   of their lateness.
 * - With a deadline, no attempt begins with less time than it needs, and none if the wait does not fit.
 * - `Retry-After` in its three forms is a lower limit, by the provider's own clock.
 * - All attempts of a call have one idempotency key, and no two calls have the same.
 * - After output was delivered, nothing is sent again, however the response is cut off, even if resending is allowed.
 */
import { Deadline, Retry } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { OpenAi } from "@clawback/providers"
import { Behavior, FaultyProvider } from "@clawback/testing"
import { Cause, Clock, ConfigProvider, Console, Duration, Effect, Exit, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import * as Governed from "../support/governed.ts"
import * as Limits from "../support/limits.ts"
import { now } from "../support/monotonic.ts"
import * as Proof from "../support/proof.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"
import { median } from "../support/slope.ts"

const isSmall = scale() === "small"
const times = isSmall ? 3 : 20
const calls = isSmall ? 8 : 30
const limit = 1000
const tolerance = Math.max(20, limit * 0.05)
const punctual = 10
const random = seeded(0x71e0)

type Provider = FaultyProvider.FaultyProvider["Service"]

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i)
const together = { concurrency: "unbounded" } as const

/** Meets each limit, all of them side by side, until each was met often enough on a machine that kept time. */
const limits = Effect.fnUntraced(function*(cases: ReadonlyArray<Limits.Case>) {
  return yield* Effect.forEach(
    cases,
    Effect.fnUntraced(function*(one) {
      const seen: Array<Limits.Measured> = []
      let disturbed = 0
      while (seen.length < times && disturbed < 20 * times) {
        const measured = yield* Limits.measure(one, limit)
        if (measured.tag === one.tag && measured.bareLate > punctual) disturbed++
        else seen.push(measured)
      }
      const off = seen.map(({ after }) => after - limit).toSorted((a, b) => a - b)
      const [first = NaN, middle, last = NaN] = [off[0], median(off), off.at(-1)]
      const judged = isSmall ? [middle] : off
      const met = seen.length === times && seen.every(({ tag }) => tag === one.tag) &&
        judged.every((millis) => Math.abs(millis) <= tolerance)
      const [min, half, max] = [first, middle, last].map((millis) => Number(millis.toFixed(1)))
      const row = { name: one.name, tag: one.tag, met, disturbed, offMillis: { min, median: half, max } }
      yield* Console.log(`${JSON.stringify(row)}${met ? "" : ` ${seen.map(({ tag }) => tag).join()}`}`)
      return row
    }),
    together
  )
})

/** Deadlines inside of deadlines, around calls that are never answered. */
const nested = Effect.fnUntraced(function*(provider: Provider) {
  const results = yield* Effect.forEach(
    numbers(isSmall ? 40 : 400),
    Effect.fnUntraced(function*(i) {
      const budgets = numbers(2 + i % 3).map(() => 50 + Math.round(random() * 400))
      const deadlines: Array<Deadline.Deadline | undefined> = []
      const ends: Array<number> = []
      const stalled = Governed.whole(
        { method: "GET", url: provider.url, headers: FaultyProvider.header(Behavior.stall) },
        Retry.jittered()
      )
      const innermost = i % 2 === 0 ? stalled : Effect.never
      // From the inside out; each layer notes the deadline that it runs under and when it ended.
      const all = budgets.toReversed().reduce<typeof stalled>(
        (self, budget) =>
          Effect.flatMap(Deadline.Current, (current) => {
            deadlines.push(current)
            return self
          }).pipe(
            Deadline.within(budget),
            Effect.ensuring(Effect.sync(() => ends.push(now())))
          ),
        innermost
      )
      const since = now()
      const exit = yield* Effect.exit(all)
      const least = Math.min(...budgets)
      const error = Exit.isFailure(exit) ? exit.cause.reasons.find(Cause.isFailReason)?.error : undefined
      const lasted = now() - since
      // A pause of the process may let several pass before the first one interrupts.
      const isRuled = error instanceof Deadline.DeadlineExceeded &&
        budgets.some((budget) => budget === Duration.toMillis(error.budget) && (budget === least || budget <= lasted))
      const isInside = deadlines.every((one, depth) =>
        one !== undefined && one.at <= (deadlines[depth - 1]?.at ?? Infinity)
      ) && ends.every((at, depth) => at >= (ends[depth - 1] ?? 0))
      return { isRuled, isInside, late: lasted - least }
    }),
    { concurrency: 20 }
  )
  const late = results.map(({ late }) => late).toSorted((a, b) => a - b)
  return {
    met: results.every(({ isInside, isRuled, late }) => isInside && isRuled && late >= -1) &&
      (isSmall || median(late) <= tolerance),
    nests: results.length,
    lateMillis: { median: Number(median(late).toFixed(1)), max: Number(late.at(-1)?.toFixed(1)) }
  }
})

/** Calls that are refused for ever, under deadlines that leave room for some attempts. */
const attemptsThatFit = Effect.fnUntraced(function*(provider: Provider) {
  const minimum = 300
  const refused = Effect.fnUntraced(function*(how: string, id: string, budget: number) {
    const left: Array<number> = []
    const policy = Retry.jittered({
      attempts: 1000,
      base: "50 millis",
      max: "100 millis",
      maxRetryAfter: "2 hours",
      minimum,
      budget: Retry.unlimited
    })
    const attempt = Effect.flatMap(Deadline.remaining, (remaining) => {
      left.push(Duration.toMillis(remaining))
      return Governed.execute({ method: "GET", url: `${provider.url}/${how}/${id}`, headers: {} })
    })
    const since = now()
    const exit = yield* attempt.pipe(Retry.apply(policy), Effect.scoped, Deadline.within(budget), Effect.exit)
    const why = Exit.isFailure(exit) ? Retry.ended(exit.cause)?.why : undefined
    return { id, left, why, took: now() - since, deadline: since + budget }
  })
  const some = yield* Effect.forEach(
    numbers(calls),
    (i) => refused("always", `fit-${i}`, 600 + random() * 600),
    together
  )
  const hopeless = yield* Effect.forEach(numbers(calls), (i) => refused("hour", `hour-${i}`, 5_000), together)
  const received = Map.groupBy(yield* provider.requests, ({ url }) => url.split("/")[2])
  // The attempt looks at the time a moment after it was let begin.
  const moment = 5
  const misfits = some.filter(({ deadline, id, left, why }) => {
    const requests = received.get(id) ?? []
    return why !== "deadline" || left.some((millis) => millis < minimum - moment) || requests.length !== left.length ||
      requests.some(({ receivedAt }) => receivedAt >= deadline)
  })
  for (const one of misfits) yield* Console.log("WRONG", JSON.stringify(one), received.get(one.id)?.length)
  const isTold = hopeless.every(({ id, took, why }) =>
    why === "deadline" && took < 5_000 && received.get(id)?.length === 1
  )
  return {
    met: misfits.length === 0 && isTold,
    calls: some.length + hopeless.length,
    attempts: some.reduce((sum, { left }) => sum + left.length, 0),
    leastLeftAtStart: Number(Math.min(...some.flatMap(({ left }) => left)).toFixed(2)),
    minimum
  }
})

/** A model at a provider that refuses each call twice, in one way. */
const model = (provider: Provider, how: string, id: string) =>
  OpenAi.layer({
    model: "gpt-5",
    baseUrl: `${provider.url}/${how}/${id}/v1`,
    retry: Retry.jittered({ base: 0, budget: Retry.unlimited })
  }).pipe(Layer.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ OPENAI_API_KEY: "sk-nobody" }))))

const prompt = "Why do sockets leak?"
const whole = Effect.asVoid(LanguageModel.generateText({ prompt }))
const streamed = Stream.runDrain(LanguageModel.streamText({ prompt }))

/** Calls that go well at the third attempt, in one piece and streamed: how long was waited, and by which keys. */
const retried = Effect.fnUntraced(function*(provider: Provider) {
  const wanted = ["plain", "seconds", "date", "millis"].flatMap((how) =>
    numbers(calls).map((i) => ({ how, id: `${how}-${i}`, call: i % 2 === 0 ? whole : streamed }))
  )
  yield* Effect.forEach(wanted, ({ call, how, id }) => Effect.provide(call, model(provider, how, id)), together)
  const received = Map.groupBy(yield* provider.requests, ({ url }) => url.split("/")[2])
  // The provider's clock of the day, by the one that its report goes by.
  const dayAt = (yield* Clock.currentTimeMillis) - now()
  const waited: Record<string, number> = {}
  const keys = new Set<unknown>()
  let wrong = 0
  for (const { how, id } of wanted) {
    const requests = received.get(id) ?? []
    const key = requests[0]?.headers["idempotency-key"]
    if (requests.length !== 3 || typeof key !== "string" || keys.has(key)) wrong++
    keys.add(key)
    if (requests.some(({ headers }) => headers["idempotency-key"] !== key)) wrong++
    for (const [i, { headAt = NaN }] of requests.slice(0, 2).entries()) {
      const next = requests[i + 1]?.receivedAt ?? NaN
      if (how === "plain") continue
      // A date has whole seconds; what it asks for is that moment, not two seconds.
      const asked = how === "date" ? Math.floor((headAt + dayAt + 2000 - 2) / 1000) * 1000 - dayAt : headAt + 2000
      // What is told as sent was written a moment before.
      if (!(next >= asked - 1)) wrong++
      waited[how] = Math.min(waited[how] ?? Infinity, Math.round(next - headAt))
    }
  }
  return { met: wrong === 0, calls: wanted.length, keys: keys.size, wrong, leastWaited: waited }
})

/** Streams that break off after some output, in calls that may be sent twice. */
const afterOutput = Effect.fnUntraced(function*(provider: Provider) {
  const policy = Retry.jittered({ attempts: 5, base: 0, resend: "always", budget: Retry.unlimited })
  const wanted = ["reset", "close", "truncate"].flatMap((how) =>
    numbers(calls).map((i) => ({ how, id: `${how}-${i}` }))
  )
  const results = yield* Effect.forEach(
    wanted,
    Effect.fnUntraced(function*({ how, id }) {
      let pieces = 0
      const exit = yield* Governed.stream({ method: "GET", url: `${provider.url}/${how}/${id}`, headers: {} }, policy)
        .pipe(Stream.runForEach(() => Effect.sync(() => pieces++)), Effect.exit)
      return { id, pieces, ended: Exit.isFailure(exit) ? Retry.ended(exit.cause) : undefined }
    }),
    together
  )
  const received = Map.groupBy(yield* provider.requests, ({ url }) => url.split("/")[2])
  const wrong = results.filter(({ ended, id, pieces }) =>
    pieces < 1 || ended?.why !== "delivered" || ended.attempts !== 1 || received.get(id)?.length !== 1
  )
  for (const one of wrong.slice(0, 5)) yield* Console.log("WRONG", JSON.stringify(one), received.get(one.id)?.length)
  return { met: wrong.length === 0, streams: results.length, wrong: wrong.length }
})

const program = Effect.gen(function*() {
  const open = yield* FaultyProvider.makeProcess()
  const deaf = yield* FaultyProvider.makeProcess()
  yield* deaf.listening("fullBacklog")
  const mute = yield* FaultyProvider.makeProcess({ tls: true })
  yield* mute.listening("silent")
  const refusing = yield* FaultyProvider.makeProcess({
    handler: new URL("../support/retryHandler.ts", import.meta.url),
    keep: 16_384
  })
  const parts = yield* Effect.gen(function*() {
    return {
      nested: yield* nested(open),
      attemptsThatFit: yield* attemptsThatFit(refusing),
      retried: yield* retried(refusing),
      afterOutput: yield* afterOutput(refusing)
    }
  }).pipe(Effect.provide(NodeTransport.layer({ connections: 1024 })))
  yield* Effect.forEach(Object.entries(parts), ([name, part]) => Console.log(`${name}: ${JSON.stringify(part)}`))
  return { ...parts, limits: yield* limits(Limits.cases({ open, deaf, mute })) }
})

Proof.run(
  "timeouts",
  isSmall ? 55 : 1200,
  Effect.map(program, (parts) => ({ met: Object.values(parts).flat().every((part) => part.met), ...parts }))
)
