/** Fifty planted secrets, and none of them in spans, logs, metrics or errors. */
import { Caller, SessionLog, SessionRegistry } from "@clawback/core"
import { Prometheus, TelemetryOtlp } from "@clawback/telemetry"
import { NodeHttpClient } from "@effect/platform-node"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Layer, Metric, References, Stream } from "effect"
import { LanguageModel, Prompt } from "effect/ai"
import type * as Http from "node:http"
import { inspect } from "node:util"
import * as Model from "./support/model.ts"
import * as Receiver from "./support/otlpReceiver.ts"
import * as Server from "./support/server.ts"

interface Secrets {
  /** Must be in nothing at all. */
  readonly key: string
  /** What is asked and answered: in nothing that is sent to a collector. */
  readonly content: string
}

const planted: ReadonlyArray<Secrets> = Array.from({ length: 25 }, (_, i) => ({
  key: `sk-proj-${Buffer.from(`key${i}:${i * 7919}`).toString("hex")}`,
  content: `content-${Buffer.from(`words${i}:${i * 104_729}`).toString("hex")}`
}))

type Answer = (response: Http.ServerResponse, secrets: Secrets) => void

const json = (status: number, body: (secrets: Secrets) => unknown): Answer => (response, secrets) =>
  void response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body(secrets)))

const chunks = ({ content, key }: Secrets, finish: string | null) =>
  [
    { id: `chatcmpl-${key}`, model: `gpt-${key}`, choices: [{ index: 0, delta: { content: content + key } }] },
    {
      choices: [{ index: 0, delta: { tool_calls: [{ index: 0, id: key, function: { name: "f", arguments: "{}" } }] } }]
    },
    ...(finish === null ? [] : [{ choices: [{ index: 0, delta: {}, finish_reason: finish }] }])
  ].map((event) => `data: ${JSON.stringify(event)}\n\n`).join("")

const answers: ReadonlyArray<Answer> = [
  (response, secrets) => {
    Server.begin(response, chunks(secrets, "stop"))
    response.end("data: [DONE]\n\n")
  },
  (response, secrets) => {
    Server.begin(response, chunks(secrets, secrets.key))
    response.end("data: [DONE]\n\n")
  },
  (response, secrets) => Server.begin(response, chunks(secrets, null)),
  (response, secrets) => {
    Server.begin(response, chunks(secrets, null))
    setImmediate(() => response.destroy())
  },
  (response, { content, key }) => {
    Server.begin(response, `data: {${content}${key}\n\n`)
    response.end()
  },
  json(401, ({ key }) => ({ error: { message: `Incorrect API key provided: ${key}.`, code: key, type: key } })),
  json(400, ({ content, key }) => ({ error: { message: `I will not answer "${content}" for ${key}`, code: content } })),
  json(500, ({ content, key }) => ({ oops: { content, key } })),
  json(200, ({ content, key }) => ({
    id: key,
    model: key,
    choices: [{ index: 0, message: { content: content + key }, finish_reason: key }],
    usage: { prompt_tokens: 1, completion_tokens: 1, extra: content }
  }))
]

/** Every way in which a value is usually printed. */
const printed = (value: unknown) =>
  [
    String(value),
    JSON.stringify(value),
    inspect(value, { depth: null, showHidden: true, getters: true, maxStringLength: null, maxArrayLength: null })
  ].join("\n")

const assertKept = (text: string, secret: string, where: string) => {
  // A part would be left if it were cut off.
  for (const part of [secret, secret.slice(8, 24), secret.slice(-16)]) {
    assert.isFalse(
      text.includes(part),
      `${part} is in ${where}: ${text.slice(Math.max(0, text.indexOf(part) - 200), text.indexOf(part) + 50)}`
    )
  }
}

const isolated = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
  Effect.suspend(() => Effect.provideService(effect, Metric.MetricRegistry, new Map()))

describe("fifty secrets", () => {
  it.live(
    "are in no span, log or metric, and keys are in no error, however it is printed",
    () =>
      Effect.gen(function*() {
        const receiver = yield* Receiver.make()
        const ends: Array<readonly [Secrets, Exit.Exit<unknown, unknown>, unknown]> = []

        const call = (secrets: Secrets, index: number) =>
          Effect.gen(function*() {
            const server = yield* Server.http((response) => answers[index % answers.length]?.(response, secrets))
            const prompt = Prompt.make([
              { role: "system", content: secrets.content },
              { role: "user", content: [{ type: "text", text: secrets.content }] }
            ])
            const stream = LanguageModel.streamText({ prompt })
            const sessions = yield* Effect.gen(function*() {
              const begun = yield* Deferred.make<unknown>()
              const ask = index % 2 === 0
                ? Stream.runForEach(
                  stream,
                  () => Effect.flatMap(SessionRegistry.list(), (all) => Deferred.succeed(begun, all))
                )
                : LanguageModel.generateText({ prompt })
              const fiber = yield* Effect.forkChild(ask)
              // Some are answered for ever.
              yield* Effect.timeoutOption(Fiber.await(fiber), "300 millis")
              if (index % 4 === 0) yield* SessionRegistry.revoke({ kind: "call" }, { reason: "enough" })
              yield* Fiber.interrupt(fiber)
              const exit = yield* Fiber.await(fiber)
              ends.push([secrets, exit, yield* Effect.timeoutOption(Deferred.await(begun), 0)])
              if (Exit.isFailure(exit) && index % answers.length === 5) yield* Effect.logError("It failed", exit.cause)
            }).pipe(
              Effect.withSpan("job"),
              Caller.provide({ tenant: secrets.key.slice(0, 2) }),
              Model.withModel({ baseUrl: `http://${server.host}/v1?key=${secrets.key}`, apiKey: secrets.key }),
              Effect.exit
            )
            ends.push([secrets, sessions, undefined])
          }).pipe(Effect.scoped)

        const metrics = yield* Effect.forEach(planted, call, { concurrency: 5 }).pipe(
          Effect.andThen(Prometheus.format),
          Effect.provide(Layer.provideMerge(
            SessionLog.layer(),
            TelemetryOtlp.layer({ baseUrl: receiver.url, serviceName: "test" }).pipe(
              Layer.provide(NodeHttpClient.layerUndici)
            )
          )),
          Effect.provideService(References.MinimumLogLevel, "All")
        )

        assert.strictEqual(Receiver.trees(receiver.spans).length, planted.length)
        assert.isAbove(receiver.metrics.size, 20)
        assert.isNotEmpty(receiver.logs)
        const sent = receiver.bodies.join("\n")
        for (const { content, key } of planted) {
          for (const secret of [content, key]) {
            assertKept(sent, secret, "what was sent to the collector")
            assertKept(metrics, secret, "what Prometheus reads")
          }
        }
        for (const [{ key }, exit, sessions] of ends) {
          assertKept(printed(sessions), key, "what the registry lists")
          if (!Exit.isFailure(exit)) continue
          assertKept(printed(exit), key, "an exit")
          assertKept(Cause.pretty(exit.cause), key, "a cause")
          for (const error of Cause.prettyErrors(exit.cause)) assertKept(printed(error) + error.stack, key, "an error")
        }
      }).pipe(isolated),
    30_000
  )
})
