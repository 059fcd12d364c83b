import { Prometheus, Telemetry, TelemetryOtlp } from "@clawback/telemetry"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Config, ConfigProvider, Effect, Exit, Fiber, Layer, Logger, Metric, Redacted, type Scope } from "effect"
import { HttpClient, HttpClientError, HttpClientResponse, HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"

type Answer = number | "refused" | "silent"

/** A collector without sockets, which does as it is told and remembers what it was sent and what it has not answered. */
class Collector {
  answer: (url: string) => Answer = () => 200
  readonly received: Array<{ readonly url: string; readonly headers: Readonly<Record<string, string>> }> = []
  open = 0

  readonly client = HttpClient.make((request) =>
    Effect.suspend((): Effect.Effect<HttpClientResponse.HttpClientResponse, HttpClientError.HttpClientError> => {
      this.received.push({ url: request.url, headers: { ...request.headers } })
      const answer = this.answer(request.url)
      if (answer === "refused") {
        const cause = new TypeError("fetch failed", { cause: new AggregateError([new Error("connect ECONNREFUSED")]) })
        return Effect.fail(
          new HttpClientError.HttpClientError({ reason: new HttpClientError.TransportError({ request, cause }) })
        )
      }
      if (answer === "silent") {
        this.open++
        return Effect.onInterrupt(Effect.never, () => Effect.sync(() => void this.open--))
      }
      const headers = { "retry-after": "3600" }
      return Effect.succeed(HttpClientResponse.fromWeb(request, new Response("{}", { status: answer, headers })))
    })
  )

  readonly layer = Layer.succeed(HttpClient.HttpClient, this.client)
}

const options: TelemetryOtlp.Options = { baseUrl: "http://collector.test", serviceName: "test" }

const build = (changes: object, collector = new Collector()) =>
  Layer.build(TelemetryOtlp.layer({ ...options, ...changes })).pipe(Effect.provide(collector.layer))

const isolated = Effect.provideService(Metric.MetricRegistry, new Map())

/** Where an option is set, and what it must not be. `any`, since it is what types do not let through. */
type Setting = readonly [
  name: string,
  wrong: ReadonlyArray<unknown>,
  set: (value: any) => Effect.Effect<unknown, unknown, Scope.Scope>
]

const noUrls = [
  "",
  "localhost:4319",
  "ftp://collector.test",
  "http:collector.test",
  "http://",
  "http://user:secret@collector.test",
  "http://collector.test/?key=secret",
  "http://collector.test/#secret"
]
const noDurations = [-1, NaN, "-1 seconds", "soon"]
const processor = { forceFlush: async () => {}, shutdown: async () => {}, onStart: () => {}, onEnd: () => {} }

const settings: ReadonlyArray<Setting> = [
  ["baseUrl", noUrls, (baseUrl) => build({ baseUrl })],
  ["interval", [0, ...noDurations], (interval) => build({ interval })],
  ["metricsInterval", [0, ...noDurations], (metricsInterval) => build({ metricsInterval })],
  ["shutdownTimeout", noDurations, (shutdownTimeout) => build({ shutdownTimeout })],
  ["headers", ["", "a b", "a:", "ä", "a\n"], (name) => build({ headers: { [name]: "secret" } })],
  ["headers.a", ["secret\n", "secret\u0000", "secret🙂"], (value) => build({ headers: { a: value } })],
  ["headers.a", ["secret\n"], (value) => build({ headers: { a: Redacted.make(value) } })],
  ["format", ["xml", ""], (format) => build({ format })],
  ["serviceName", ["", " "], (serviceName) => build({ serviceName })],
  [
    "shutdownTimeout",
    noDurations,
    (shutdownTimeout) => Layer.build(Telemetry.layer(() => ({ spanProcessor: processor, shutdownTimeout })))
  ],
  ["path", ["", "metrics"], (path) => Layer.build(Prometheus.layer({ path }).pipe(Layer.provide(HttpRouter.layer)))]
]

describe("an invalid option", () => {
  it.effect.each(settings)(
    "`%s` is a RangeError that names it and quotes no secret",
    ([name, wrong, set]) =>
      Effect.forEach(wrong, (value) =>
        Effect.gen(function*() {
          const exit = yield* Effect.exit(Effect.scoped(isolated(Effect.suspend(() => set(value)))))
          assert(Exit.isFailure(exit), `${String(value)} was accepted`)
          const error = Cause.squash(exit.cause)
          assert.instanceOf(error, RangeError)
          assert.include(error.message, `\`${name}\``)
          assert.notInclude(error.message, "secret")
        }))
  )
})

const within = (environment: Record<string, string>) =>
  Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(environment)))

describe("the environment", () => {
  it.effect.each<Record<string, string>>([
    {},
    { OTEL_SERVICE_NAME: "" },
    { OTEL_SERVICE_NAME: "test", OTEL_RESOURCE_ATTRIBUTES: "region=%" }
  ])("is a ConfigError where it names no service, or is malformed: %j", (environment) =>
    Effect.gen(function*() {
      const error = yield* Effect.flip(build({ serviceName: undefined })).pipe(within(environment))
      assert.instanceOf(error, Config.ConfigError)
      assert.include(error.message, "OTEL_")
    }).pipe(Effect.scoped, isolated))

  it.effect.each<Record<string, string>>([
    { OTEL_SERVICE_NAME: "test" },
    { OTEL_RESOURCE_ATTRIBUTES: "service.name=test" }
  ])(
    "names the service: %j",
    (environment) => build({ serviceName: undefined }).pipe(within(environment), Effect.scoped, isolated)
  )

  it.effect("sets the URL and the headers", () =>
    Effect.gen(function*() {
      const collector = new Collector()
      const layer = TelemetryOtlp.layerConfig(
        Config.map(TelemetryOtlp.config, (found): TelemetryOtlp.Options => ({ ...found, serviceName: "test" }))
      ).pipe(Layer.provide(collector.layer))
      const run = (environment: Record<string, string>) =>
        Effect.provide(Effect.withSpan(Effect.void, "one"), layer, { local: true }).pipe(within(environment))
      yield* run({
        OTEL_EXPORTER_OTLP_ENDPOINT: "https://collector.test/base/",
        OTEL_EXPORTER_OTLP_HEADERS: " api-key = a%2Cb%3D , team=one=two,"
      })
      const traces = () => collector.received.splice(0).find(({ url }) => url.endsWith("/v1/traces"))
      const first = traces()
      assert.strictEqual(first?.url, "https://collector.test/base/v1/traces")
      assert.deepInclude(first?.headers, { "api-key": "a,b=", team: "one=two" })
      yield* run({ OTEL_EXPORTER_OTLP_ENDPOINT: " " })
      assert.strictEqual(traces()?.url, "http://localhost:4318/v1/traces")
    }).pipe(isolated))

  it.effect("is a ConfigError without a secret if its URL or headers are malformed", () =>
    Effect.gen(function*() {
      const wrong: ReadonlyArray<readonly [string, string]> = [
        ...noUrls.filter((url) => url !== "").map((url) => ["OTEL_EXPORTER_OTLP_ENDPOINT", url] as const),
        ...["secret", "a=%secret", "a b=secret", "=secret", "a=secret%0A"].map((headers) =>
          ["OTEL_EXPORTER_OTLP_HEADERS", headers] as const
        )
      ]
      for (const [name, value] of wrong) {
        const layer = TelemetryOtlp.layerConfig(TelemetryOtlp.config).pipe(Layer.provide(new Collector().layer))
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer))).pipe(within({ [name]: value }))
        assert.instanceOf(error, Config.ConfigError)
        assert.include(error.message, name)
        assert.notInclude(error.message, "secret")
      }
    }).pipe(isolated))
})

const beat = Effect.withSpan(Effect.andThen(Effect.log("beat"), TestClock.adjust("1 second")), "beat")
const beats = (seconds: number) => Effect.repeat(beat, { times: seconds - 1 })

/** What a program logs as a warning, until its telemetry is closed. */
const warningsOf = <A, E>(collector: Collector, program: Effect.Effect<A, E>) =>
  Effect.gen(function*() {
    const warnings: Array<string> = []
    const log = Logger.layer([
      Logger.make(({ logLevel, message }) => void (logLevel === "Warn" && warnings.push(String(message))))
    ])
    const telemetry = TelemetryOtlp.layer(options).pipe(Layer.provide(collector.layer), Layer.provideMerge(log))
    const running = yield* Effect.forkChild(Effect.provide(program, telemetry))
    yield* Effect.yieldNow
    while (running.pollUnsafe() === undefined) yield* TestClock.adjust("1 second")
    yield* Fiber.join(running)
    return warnings
  })

describe("a collector that fails", () => {
  it.effect.each<readonly [Answer, string]>([
    ["refused", "connect ECONNREFUSED"],
    ["silent", "no response within 10s"],
    [500, "status 500"],
    [429, "status 429"],
    [401, "`headers`"],
    [404, "`baseUrl`"]
  ])("is told of once, in a line, and nothing fails: %s", ([answer, reason]) =>
    Effect.gen(function*() {
      const collector = new Collector()
      collector.answer = () => answer
      const warnings = yield* warningsOf(collector, beats(100))
      assert.strictEqual(warnings.length, 1)
      assert.include(warnings[0], "http://collector.test/v1/")
      assert.include(warnings[0], reason)
    }).pipe(isolated))

  it.effect("is logged again after it has worked in between", () =>
    Effect.gen(function*() {
      const collector = new Collector()
      const answering = (answer: Answer) => Effect.sync(() => void (collector.answer = () => answer))
      const warnings = yield* warningsOf(
        collector,
        Effect.gen(function*() {
          yield* answering(401)
          yield* beats(20)
          yield* answering(200)
          yield* TestClock.adjust("3 minutes")
          yield* answering(401)
          yield* beats(20)
        })
      )
      assert.strictEqual(warnings.length, 2)
    }).pipe(isolated))

  it.effect("is logged for the one signal that it rejects, while it accepts the others", () =>
    Effect.gen(function*() {
      const collector = new Collector()
      collector.answer = (url) => url.endsWith("/v1/logs") ? 404 : 200
      const warnings = yield* warningsOf(collector, beats(200))
      assert.deepStrictEqual(warnings.map((line) => line.includes("/v1/logs")), [true])
    }).pipe(isolated))

  it.effect("is logged by a program that ends while the collector does not respond", () =>
    Effect.gen(function*() {
      const collector = new Collector()
      collector.answer = () => "silent"
      const warnings = yield* warningsOf(collector, Effect.withSpan(Effect.void, "short"))
      assert.strictEqual(warnings.length, 1)
      assert.strictEqual(collector.open, 0)
    }).pipe(isolated))

  it.effect("leaves no more in memory than was recorded in 10 seconds", () =>
    Effect.gen(function*() {
      const collector = new Collector()
      collector.answer = () => "silent"
      yield* Effect.gen(function*() {
        for (let second = 0; second < 60; second++) {
          // Each thousand is a request of its own.
          for (let i = 0; i < 1000; i++) yield* Effect.withSpan(Effect.void, "one")
          yield* TestClock.adjust("1 second")
          assert.isAtMost(collector.open, 14)
        }
        assert.strictEqual(collector.open, 0)
        assert.isBelow(collector.received.length, 20)
      }).pipe(
        Effect.provide(TelemetryOtlp.layer({ ...options, shutdownTimeout: 0 }).pipe(Layer.provide(collector.layer)))
      )
    }).pipe(isolated))
})
