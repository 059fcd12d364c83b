/**
 * Nothing grows with the number of calls of both providers through each face of a model (see `growthOfCalls.ts`).
 *
 * `npm run prove -- growthProviders [--scale small|full]`: full, the default, makes 100,000 calls, streams and others, with
 * and without tools and schemas. One in ten fails in one of twenty-one ways. Small makes 2,100, enough for each way once. The
 * layers of the two models stay open.
 */
import { Deadline, Retry, type Timeouts } from "@clawback/core"
import { Anthropic, OpenAi, Target } from "@clawback/providers"
import { Dialect } from "@clawback/testing"
import { Effect, Layer, Schema, Stream } from "effect"
import { LanguageModel, Tool, Toolkit } from "effect/ai"
import type { Wanted } from "../support/growthHandler.ts"
import * as Growth from "../support/growthOfCalls.ts"
import * as Proof from "../support/proof.ts"
import { scale } from "../support/scale.ts"

type Model = LanguageModel.LanguageModel | Target.ChatModel

const isSmall = scale() === "small"
const prompt = (wanted: Wanted) => `[${wanted}] ${"Why do sockets leak? ".repeat(40)}`
const request = (wanted: Wanted): Target.Request => ({ messages: [{ role: "user", content: prompt(wanted) }] })
const schema = Schema.Struct({ text: Schema.String })
const toolkit = Toolkit.make(Tool.make("sockets", { description: "How many are open", success: Schema.Finite }))

const options = {
  credential: Dialect.credential("sk-no-real-key"),
  retry: Retry.jittered({ attempts: 2, base: "2 millis", budget: Retry.unlimited })
}
const patient: Timeouts.Timeouts = { total: "30 seconds" }
const hurried: Timeouts.Timeouts = { ...patient, firstToken: "20 millis", idle: "20 millis" }

/** Each of these in turn. */
const inTurn = <R>(calls: ReadonlyArray<Effect.Effect<unknown, unknown, R>>) => {
  let next = 0
  return Effect.suspend(() => Growth.at(calls, next++))
}

const streams = (wanted: Wanted): ReadonlyArray<Stream.Stream<unknown, unknown, Model>> => [
  LanguageModel.streamText({ prompt: prompt(wanted) }),
  Target.stream(request(wanted))
]

const whole = (wanted: Wanted) =>
  inTurn<Model>([
    LanguageModel.generateText({ prompt: prompt(wanted) }),
    LanguageModel.generateObject({ prompt: prompt(wanted), schema }),
    Target.generate(request(wanted))
  ])
const stream = (wanted: Wanted) => inTurn<Model>(streams(wanted).map((each) => Stream.runDrain(each)))
const either = (wanted: Wanted) => inTurn([whole(wanted), stream(wanted)])

const good: ReadonlyArray<Effect.Effect<unknown, unknown, Model>> = [
  LanguageModel.generateText({ prompt: prompt("text") }),
  LanguageModel.generateObject({ prompt: prompt("object"), schema }),
  Stream.runDrain(LanguageModel.streamText({ prompt: prompt("text") })),
  Effect.provide(
    Stream.runDrain(LanguageModel.streamText({ prompt: prompt("call"), toolkit })),
    toolkit.toLayer({ sockets: () => Effect.succeed(3) })
  ),
  Target.generate(request("text")),
  Stream.runDrain(Target.stream(request("text")))
]

const failing: ReadonlyArray<Effect.Effect<unknown, unknown, Model>> = [
  either("reset"),
  either("close"),
  whole("resetInBody"),
  whole("truncated"),
  whole("malformedJson"),
  stream("malformedSse"),
  stream("resetInStream"),
  stream("endsTooSoon"),
  stream("errorInStream"),
  either("busy"),
  either("busyAtLength"),
  either("limited"),
  either("refused"),
  either("noHttp"),
  either("longHeader"),
  Deadline.within("20 millis")(either("stall"))
]

const givenUp: ReadonlyArray<Effect.Effect<unknown, unknown, Model>> = [
  inTurn<Model>(streams("endless").map((each) => Stream.runDrain(Stream.take(each, 3)))),
  Effect.timeoutOption(either("stall"), "20 millis")
]

/** Text in one piece, whose connection the server closes behind it. */
const closing = inTurn<Model>([
  LanguageModel.generateText({ prompt: prompt("closing") }),
  Target.generate(request("closing"))
])

const open = Effect.fnUntraced(function*(target: (timeouts: Timeouts.Timeouts) => Target.Target) {
  const model = yield* Layer.build(Target.layer(target(patient)))
  const impatient = yield* Layer.build(Target.layer(target(hurried)))
  const as = (outcome: Growth.Call["outcome"], on = model) => (call: Effect.Effect<unknown, unknown, Model>) => ({
    call: Effect.provide(call, on),
    outcome
  })
  return {
    good: good.map(as("success")),
    bad: [
      ...failing.map(as("failure")),
      ...givenUp.map(as("success")),
      as("closes")(closing),
      ...[stream("stall"), stream("silentInStream")].map(as("failure", impatient))
    ]
  } satisfies Growth.Calls
})

Proof.run(
  "growthProviders",
  isSmall ? 55 : 2400,
  Growth.prove(
    {
      provider: { handler: new URL("../support/growthHandler.ts", import.meta.url) },
      open: Effect.fnUntraced(function*(url) {
        const one = yield* open((timeouts) => OpenAi.target("gpt-5", { ...options, timeouts, baseUrl: `${url}/v1` }))
        const other = yield* open((timeouts) =>
          Anthropic.target("claude-sonnet-5-5", { ...options, timeouts, baseUrl: url })
        )
        return { good: [...one.good, ...other.good], bad: [...one.bad, ...other.bad] }
      })
    },
    isSmall ? { total: 2_100, samples: 6, isJudged: false } : { total: 100_000, samples: 30, isJudged: true }
  )
)
