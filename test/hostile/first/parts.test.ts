import { Caller, Credential, Session, SessionLog, SessionMetrics, SessionRegistry, Transport } from "@clawback/core"
import * as Instrument from "@clawback/core/Instrument"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Span from "@clawback/core/Span"
import { OpenAi, Target } from "@clawback/providers"
import { expect, it } from "@effect/vitest"
import {
  ConfigProvider,
  Context,
  Duration,
  Effect,
  Exit,
  Layer,
  Logger,
  Metric,
  Redacted,
  References,
  Schema,
  Scope,
  Tracer
} from "effect"
import { apart, endsWithin, settle, tagOf, Things, wrong } from "./bench.ts"

const job = { kind: "job", name: "nightly" }
const secretText = "sk-planted-5b1f"
const env = (values: Record<string, string>) =>
  Effect.provideService(ConfigProvider.ConfigProvider, ConfigProvider.fromUnknown(values))
const lease = ({ identity }: Credential.Source) =>
  Effect.scoped(Effect.map(Effect.flatMap(identity, ({ lease }) => lease), Redacted.value))

// Credential

it.effect("a source that was kept after its layer closed refuses in a typed way", () =>
  apart(Effect.gen(function*() {
    const source = yield* Effect.scoped(Effect.tap(
      Credential.config("KEY").open,
      (source) => Effect.map(lease(source), (value) => expect(value).toBe(secretText))
    ))
    const exit = yield* Effect.exit(lease(source))
    expect(tagOf(exit)).toBe("CredentialUnavailable")
  })).pipe(env({ KEY: secretText })))

it.effect("a credential that was revoked refuses in a typed way from then on", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const source = yield* Credential.config("KEY").open
    yield* SessionRegistry.revoke({ kind: "credential" }, { reason: "it was published", deadline: 0 })
    const exit = yield* Effect.exit(lease(source))
    expect(tagOf(exit)).toMatch(/^(CredentialUnavailable|SessionRevoked)$/)
  }))).pipe(env({ KEY: secretText })))

it.effect("a model whose credential was taken back by an operator fails in a typed way, and not by a defect", () =>
  apart(Effect.gen(function*() {
    const transport = Layer.succeed(Transport.Transport, { execute: () => Effect.never } as never)
    yield* Effect.gen(function*() {
      yield* SessionRegistry.revoke({}, { reason: "everything, for now", deadline: 0 })
      const exit = yield* endsWithin("1 hour")(Target.generate({ messages: [{ role: "user", content: "Hello?" }] }))
      expect(tagOf(exit)).not.toContain("die")
    }).pipe(Effect.provide(Layer.provide(Target.layer(OpenAi.target("gpt-5-mini")), transport)))
  })).pipe(env({ OPENAI_API_KEY: secretText })))

it.effect("a secret that the application has wiped itself is refused in a typed way", () =>
  apart(Effect.scoped(Effect.gen(function*() {
    const secret = Redacted.make(secretText)
    const source = yield* Credential.redacted("mine", secret).open
    Redacted.wipeUnsafe(secret)
    const exit = yield* Effect.exit(lease(source))
    expect(tagOf(exit)).toBe("CredentialUnavailable")
  }))))

it.effect("a secret that is missing, blank, or of a configuration that throws, fails with a name and no secret", () =>
  apart(Effect.gen(function*() {
    const providers = [
      ConfigProvider.fromUnknown({}),
      ConfigProvider.fromUnknown({ KEY: "" }),
      ConfigProvider.fromUnknown({ KEY: " \n\t " }),
      ConfigProvider.fromUnknown({ KEY: { nested: secretText } }),
      ConfigProvider.fromUnknown({ KEY: [secretText, secretText] })
    ]
    for (const [i, provider] of providers.entries()) {
      const exit = yield* Effect.exit(
        Effect.scoped(Effect.flatMap(Credential.config("KEY").open, lease)).pipe(
          Effect.provideService(ConfigProvider.ConfigProvider, provider)
        )
      )
      expect([i, tagOf(exit)]).toEqual([i, "CredentialUnavailable"])
      expect(JSON.stringify(exit) + String(Exit.isFailure(exit) && exit.cause)).not.toContain(secretText)
      expect(yield* SessionRegistry.counts).toEqual({})
    }
    const throwing = yield* Effect.exit(
      Effect.scoped(Credential.config("KEY").open).pipe(
        Effect.provideService(
          ConfigProvider.ConfigProvider,
          wrong({
            ...ConfigProvider.fromUnknown({}),
            load: () => Effect.die("broken"),
            get: () => Effect.die("broken")
          })
        )
      )
    )
    expect(tagOf(throwing)).not.toBe("success")
  })))

it.effect("one credential that ten layers open is ten sources, each with an end of its own", () =>
  apart(Effect.gen(function*() {
    const credential = Credential.config("KEY")
    const scopes = yield* Effect.forEach(Array.from({ length: 10 }), () => Scope.make())
    const sources = yield* Effect.forEach(scopes, (scope) => Scope.provide(credential.open, scope))
    yield* Scope.close(scopes[0]!, Exit.void)
    expect(yield* lease(sources[1]!)).toBe(secretText)
    for (const scope of scopes) yield* Scope.close(scope, Exit.void)
  })).pipe(env({ KEY: secretText })))

it.effect("a lease, its source, its session and its log entry show no secret, however they are printed", () => {
  const lines: Array<unknown> = []
  const logger = Logger.make((options) => {
    lines.push(
      options.message,
      Object.fromEntries(Object.entries(options.fiber.getRef(References.CurrentLogAnnotations)))
    )
  })
  return Effect.scoped(Effect.gen(function*() {
    const source = yield* Credential.config("KEY").open
    const secret = yield* (yield* source.identity).lease
    yield* Session.acquire(
      { kind: "job", name: "x", attributes: { secret, list: [secret], apiKey: secretText } },
      Effect.void,
      () => Effect.void
    )
    const shown = JSON.stringify([source, secret, yield* SessionRegistry.list()]) + String(secret) + `${secret}`
    expect(shown).not.toContain(secretText)
    yield* settle
    expect(JSON.stringify(lines, (_, value) => typeof value === "bigint" ? String(value) : value)).not.toContain(
      secretText
    )
  })).pipe(
    Effect.provide(SessionLog.layer().pipe(Layer.provideMerge(SessionRegistry.layer()))),
    Effect.provideService(Logger.CurrentLoggers, new Set([logger])),
    Effect.provideService(References.MinimumLogLevel, "All"),
    env({ KEY: secretText })
  )
})

// Caller

it.effect("a caller whose getters throw is a defect, and nothing is opened for him", () => {
  const things = new Things()
  return apart(Effect.gen(function*() {
    const thrower = {
      get tenant(): string {
        throw new Error("nobody")
      }
    }
    const one = yield* endsWithin("1 minute")(
      Caller.provide(thrower)(Session.use(job, things.take, things.give, () => Effect.void))
    )
    const two = yield* endsWithin("1 minute")(
      Caller.provide({ subject: "s" })(
        Caller.provide(thrower)(Session.use(job, things.take, things.give, () => Effect.void))
      )
    )
    for (const exit of [one, two]) expect(tagOf(exit)).toMatch(/nobody|success/)
    things.settled()
  }))
})

it.effect("a caller that is set inside of work does not leak out of it, into siblings or into the next", () =>
  apart(Effect.gen(function*() {
    const tenant = Effect.map(Caller.Current, (caller) => caller?.tenant)
    const seen = yield* Effect.all(
      [
        Caller.provide({ tenant: "a" })(Effect.andThen(Effect.yieldNow, tenant)),
        tenant,
        Caller.provide({ tenant: "b" })(tenant)
      ],
      { concurrency: "unbounded" }
    )
    expect(seen).toEqual(["a", undefined, "b"])
    expect(yield* tenant).toBe(undefined)
    yield* Effect.exit(Caller.provide({ tenant: "a" })(Effect.die("x")))
    expect(yield* tenant).toBe(undefined)
  })))

it.effect("what an inner caller leaves out comes from the outer, at any depth", () =>
  apart(Effect.gen(function*() {
    let work: Effect.Effect<Caller.Caller | undefined> = Caller.Current
    for (let i = 0; i < 1000; i++) work = Caller.provide({ tags: { depth: String(i) } })(work)
    const caller = yield* Caller.provide({ tenant: "acme", subject: "s" })(work)
    expect(caller).toMatchObject({ tenant: "acme", subject: "s", tags: { depth: "0" } })
  })))

// Instrument

const counter = { kind: "counter", name: "hostile.count", unit: "1", description: "x", labels: ["label"] } as const
const gauge = { kind: "gauge", name: "hostile.level", unit: "1", description: "x", labels: ["label"] } as const
const histogram = {
  kind: "histogram",
  name: "hostile.size",
  unit: "1",
  description: "x",
  labels: ["label"],
  boundaries: [1, 2]
} as const

const inMetrics = <A, E, R>(
  f: (context: Context.Context<never>, read: () => Record<string, number>) => Effect.Effect<A, E, R>
) =>
  Effect.gen(function*() {
    const context = Context.make(Metric.MetricRegistry, new Map() as never)
    const read = () =>
      Object.fromEntries(
        Metric.snapshotUnsafe(context as Context.Context<never>).map((one) => {
          const state = one.state as { count?: number; value?: number }
          return [
            `${one.id} ${(one.attributes as Record<string, string>)?.["label"] ?? ""}`,
            Number(state.count ?? state.value)
          ]
        })
      )
    return yield* f(context as Context.Context<never>, read)
  })

it.effect("a source of a metric that is taken away twice, out of order or while it is read counts once", () =>
  inMetrics((context, read) =>
    Effect.sync(() => {
      const stops = [1, 2, 3].map((n) => Instrument.observe(counter, { label: "a" }, context, () => n))
      expect(read()).toEqual({ "hostile.count a": 6 })
      stops[1]!()
      stops[1]!()
      // What a counter has counted stays counted.
      expect(read()).toEqual({ "hostile.count a": 6 })
      let stopReader = () => {}
      stopReader = Instrument.observe(counter, { label: "a" }, context, () => {
        stopReader()
        return 10
      })
      read()
      stops[0]!()
      stops[2]!()
      expect(read()).toEqual({})
    })
  ))

it.effect("a source that throws when it is taken away is gone all the same", () =>
  inMetrics((context, read) =>
    Effect.sync(() => {
      const stop = Instrument.observe(counter, { label: "a" }, context, () => {
        throw new Error("already closed")
      })
      try {
        stop()
      } catch {
        // It may say so.
      }
      expect(read()).toEqual({})
      const again = Instrument.observe(counter, { label: "a" }, context, () => 1)
      expect(read()).toEqual({ "hostile.count a": 1 })
      again()
      expect(read()).toEqual({})
    })
  ))

it.effect("labels with strange names and values make series of their own, and unknown ones make none", () =>
  inMetrics((context, read) =>
    Effect.sync(() => {
      const values = ["", "a", "A", "a,b", `a","b`, "__proto__", "constructor", "ü😀", "x".repeat(1000)]
      const stops = values.map((label) => Instrument.observe(gauge, { label }, context, () => 1))
      expect(Object.keys(read())).toHaveLength(values.length)
      const unknown = Instrument.observe(gauge, wrong({ label: "a", tenant: "acme" }), context, () => 1)
      expect(read()["hostile.level a"]).toBe(2)
      for (const stop of [...stops, unknown]) stop()
      expect(read()).toEqual({})
    })
  ))

it.effect("records that are no numbers do not break the series for the next", () =>
  inMetrics((context, read) =>
    Effect.sync(() => {
      for (const instrument of [counter, histogram] as const) {
        const series = Instrument.series(instrument as typeof counter, { label: "a" }, context)
        series.record(1)
        for (const value of [-1, Infinity, wrong("5"), wrong(undefined)]) {
          try {
            series.record(value)
          } catch {
            // It may say so.
          }
        }
        series.record(1)
      }
      expect(Number.isNaN(read()["hostile.size a"])).toBe(false)
    })
  ))

it.effect("bounded values have series of their own while there is room, and what has none is `_OTHER`", () =>
  inMetrics((context) =>
    Effect.sync(() => {
      for (const limit of [-1, 1.5, Number.NaN, Infinity, wrong("3")]) {
        expect(() => Instrument.bounded("hostile.label", limit)).toThrow(RangeError)
      }
      const shown = (limit: number, values: ReadonlyArray<string>) => {
        const label = Instrument.bounded(`hostile.label ${limit}`, limit)
        return values.map((value) => Object.values(Instrument.use(label, { [label.label]: value }, context).labels)[0])
      }
      expect(shown(0, ["a", "__proto__"])).toEqual(["_OTHER", "_OTHER"])
      expect(shown(2, ["__proto__", "toString", "x", "__proto__"])).toEqual([
        "__proto__",
        "toString",
        "_OTHER",
        "__proto__"
      ])
    })
  ))

it.effect("metrics of sessions end with their layer, and go on for the other of two", () =>
  inMetrics((context, read) =>
    apart(Effect.gen(function*() {
      const scope = yield* Scope.make()
      const registry = yield* SessionRegistry.SessionRegistry
      const given = Context.merge(context, Context.make(SessionRegistry.SessionRegistry, registry))
      yield* Effect.provide(Layer.buildWithScope(Layer.fresh(SessionMetrics.layer), scope), given)
      yield* Effect.scoped(Effect.gen(function*() {
        yield* Effect.provide(Layer.build(Layer.fresh(SessionMetrics.layer)), given)
        yield* Session.use(job, Effect.void, () => Effect.void, () => Effect.void)
      }))
      expect(read()["clawback.session.opened "]).toBeGreaterThanOrEqual(1)
      yield* Scope.close(scope, Exit.void)
      expect(read()).toEqual({})
    }))
  ))

// Span and options

it.effect("a span that is ended twice, by strangers and with any exit, tells no words of an error", () => {
  const ended: Array<string> = []
  return Effect.gen(function*() {
    const native = yield* Effect.tracer
    const tracer = Tracer.make({
      span: (options) => {
        const span = native.span(options)
        const end = span.end.bind(span)
        span.end = (at, exit) => {
          ended.push(JSON.stringify(exit) + String(Exit.isFailure(exit) && exit.cause))
          end(at, exit)
        }
        return span
      }
    })
    for (
      const error of [
        new Error(secretText),
        { _tag: "Mine", message: secretText },
        { _tag: secretText.length },
        secretText,
        undefined,
        Symbol(secretText),
        Object.create(null, { toString: { value: () => secretText } })
      ]
    ) {
      for (const end of [Effect.fail(error), Effect.die(error)]) {
        yield* Effect.exit(Span.around("x", { attributes: { none: undefined } })(end)).pipe(Effect.withTracer(tracer))
      }
    }
    expect(ended.length).toBe(14)
    expect(ended.join()).not.toContain(secretText)
  })
})

it("what checks an option takes strange values for what they are", () => {
  const circle: Record<string, unknown> = {}
  circle["self"] = circle
  for (
    const value of [
      circle,
      Symbol("s"),
      () => 1,
      new Proxy({}, {}),
      Redacted.make("x"),
      Object.create(null),
      new Date(Number.NaN)
    ]
  ) {
    expect(() => OptionCheck.duration("x", wrong(value))).toThrow()
    expect(() => OptionCheck.count("x", wrong(value), 0)).toThrow()
    expect(() => OptionCheck.ratio("x", wrong(value))).toThrow()
    expect(() => OptionCheck.size("x", wrong(value))).toThrow()
    expect(() => OptionCheck.choice("x", wrong(value), ["a"])).toThrow()
  }
  expect(String(OptionCheck.wrong("x", Redacted.make(secretText), "y"))).not.toContain(secretText)
  expect(Duration.toMillis(OptionCheck.duration("x", Object.freeze({ seconds: 1 })))).toBe(1000)
})

it("an option whose number is a text is refused as any other wrong one", () => {
  for (const value of ["0.5", "1", true, null, [1]]) {
    expect(() => OptionCheck.ratio("x", wrong(value))).toThrow(RangeError)
    expect(() => OptionCheck.size("x", wrong(value))).toThrow(RangeError)
    expect(() => OptionCheck.count("x", wrong(value), 0)).toThrow(RangeError)
  }
})

it.effect("errors of ours survive JSON and come back as what they were", () =>
  apart(Effect.gen(function*() {
    const exit = yield* endsWithin("1 minute")(
      Session.use(job, Effect.void, () => Effect.void, () => SessionRegistry.revoke({}, { reason: "x" }))
    )
    const error = Exit.isFailure(exit) && exit.cause.reasons[0]?._tag === "Fail"
      ? exit.cause.reasons[0].error
      : undefined
    const { SessionRevoked } = yield* Effect.promise(() => import("@clawback/core/SessionError"))
    const text = JSON.stringify(Schema.encodeUnknownSync(SessionRevoked)(error))
    const back = Schema.decodeUnknownSync(SessionRevoked)(JSON.parse(text))
    expect(back).toBeInstanceOf(SessionRevoked)
    expect(back.message).toContain("nightly")
  })))
