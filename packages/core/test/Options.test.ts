import {
  Caller,
  Deadline,
  Retry,
  SessionLeaks,
  SessionRegistry,
  Shutdown,
  Tasks,
  Timeouts,
  Transport
} from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import * as Instrument from "@clawback/core/Instrument"
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as RequestScope from "@clawback/core/RequestScope"
import * as Session from "@clawback/core/Session"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Duration, Effect, Exit, Layer, Logger, Redacted, type Scope, Stream } from "effect"
import { HttpClient, HttpRouter } from "effect/http"
import { TestClock } from "effect/testing"
import * as Moments from "./Moments.ts"

/** What no duration is; programs without types write such as well. */
const noDurations: ReadonlyArray<unknown> = [
  -1,
  NaN,
  -5n,
  "-1 seconds",
  "-Infinity",
  "soon",
  "10 secs",
  "",
  [NaN, 0],
  { seconds: NaN },
  { seconds: "5" },
  { seconds: undefined },
  { seconds: 5, mins: 1 },
  { secs: 5 },
  {},
  new Map([["seconds", 5]]),
  true,
  Duration.negativeInfinity
]
const noIntervals = [...noDurations, 0, "0 seconds"]
const noFinites = [...noDurations, "Infinity", Infinity]
const noCounts: ReadonlyArray<unknown> = [-1, NaN, Infinity, 1.5, 2 ** 53, "3"]
const noSizes: ReadonlyArray<unknown> = [-1, NaN, 1.5, "3"]

class Owner {
  readonly tenant = "acme"
}
class Inherited {
  get tenant() {
    return "acme"
  }
}
const noObjects: ReadonlyArray<unknown> = [
  null,
  [],
  [{ tenant: "acme" }],
  "acme",
  1,
  new Map(),
  new Owner(),
  new Inherited()
]
const noFilters: ReadonlyArray<unknown> = [
  ...noObjects,
  JSON.parse(`{"tenat":"acme"}`),
  JSON.parse(`{"tenant":"acme","knd":"call"}`),
  JSON.parse(`{"__proto__":{"tenant":"acme"}}`),
  { tenat: undefined },
  { Tenant: "acme" },
  { [Symbol("tenant")]: "acme" },
  Object.create({ tenant: "acme" }),
  Object.defineProperty({}, "tenat", { value: "acme", enumerable: false }),
  { toString: () => "acme" }
]

const wire = { connect: () => Effect.never }
const request = { method: "GET", url: "http://localhost/", headers: {} } as const
const client = HttpClient.make(() => Effect.never)

const info = { kind: "job", name: "nightly" }
const layered = <A>(layer: Layer.Layer<A>) => Effect.provide(Effect.void, layer)
const inRegistry = <A>(options: SessionRegistry.Options, effect: Effect.Effect<A, unknown, Scope.Scope>) =>
  Effect.provide(effect, SessionRegistry.layer(options))

const open = Session.acquire(info, Effect.void, () => Effect.void)

/** Where an option is set, and what it must not be. `any`, since it is what types do not let through. */
type Setting = readonly [name: string, wrong: ReadonlyArray<unknown>, set: (value: any) => unknown]

const settings: ReadonlyArray<Setting> = [
  ["deadline", noDurations, (value) => Deadline.within(value)],
  ["deadline", noDurations, (value) => Deadline.withinStream(value)],
  ...(["queue", "connect", "firstToken", "idle", "total"] as const).map((name): Setting => [
    `timeouts.${name}`,
    noDurations,
    (value) => Timeouts.check({ [name]: value })
  ]),
  [
    "timeouts.firstToken",
    noDurations,
    (value) => Timeouts.applyStream({ timeouts: { firstToken: value } })(Stream.never)
  ],
  ["timeouts.idle", noDurations, (value) => Timeouts.applyStream({ timeouts: { idle: value } })(Stream.never)],
  ["timeouts", [...noObjects, { idel: "1 second" }], (value) => Timeouts.check(value)],
  [
    "timeouts",
    [...noObjects, { idel: "1 second" }],
    (value) => Timeouts.applyStream({ timeouts: value })(Stream.never)
  ],
  ["startedAt", [NaN], (value) => Timeouts.applyStream({ timeouts: {}, startedAt: value })(Stream.never)],
  ["attempts", [0, ...noCounts], (value) => Retry.jittered({ attempts: value })],
  ["base", noFinites, (value) => Retry.jittered({ base: value })],
  ["max", noDurations, (value) => Retry.jittered({ max: value })],
  ["maxRetryAfter", noDurations, (value) => Retry.jittered({ maxRetryAfter: value })],
  ["minimum", noFinites, (value) => Retry.jittered({ minimum: value })],
  ["resend", ["often", true], (value) => Retry.jittered({ resend: value })],
  ["ratio", [-0.1, 1.1, NaN, Infinity], (value) => Retry.budget({ ratio: value })],
  ["reserve", noCounts, (value) => Retry.budget({ reserve: value })],
  ...(["unready", "stop", "drain", "persist", "interrupt", "close"] as const).map((name): Setting => [
    name,
    noFinites,
    (value) => layered(Shutdown.layer({ [name]: value }))
  ]),
  ["phase", ["later"], (value) => Shutdown.addFinalizer({ phase: value, name: "one" })(Effect.void)],
  [
    "deadline",
    noDurations,
    (value) => Shutdown.addFinalizer({ phase: "stop", name: "one", deadline: value })(Effect.void)
  ],
  ["concurrency", [0, ...noCounts], (value) => Tasks.make({ name: "some", concurrency: value })],
  ["capacity", noCounts, (value) => Tasks.make({ name: "some", capacity: value })],
  ["drain", noDurations, (value) => Tasks.make({ name: "some", drain: value })],
  [
    "atShutdown",
    ["wait"],
    (value) =>
      Effect.flatMap(
        Tasks.make({ name: "some" }),
        ({ start }) => start({ name: "one", atShutdown: value })(Effect.void)
      )
  ],
  [
    "quota",
    [-1, NaN, 1.5],
    (value) => Effect.provideService(inRegistry({ quota: () => value }, open), Caller.Current, { tenant: "acme" })
  ],
  [
    "leakThreshold",
    noDurations,
    (value) => inRegistry({ leakThreshold: () => value }, Effect.andThen(open, SessionRegistry.leaks))
  ],
  ["deadline", noDurations, (value) => SessionRegistry.revoke({}, { reason: "a test", deadline: value })],
  ["releaseDeadline", noDurations, (value) => SessionRegistry.revoke({}, { reason: "a test", releaseDeadline: value })],
  ["olderThan", noDurations, (value) => SessionRegistry.list({ olderThan: value })],
  ["olderThan", noDurations, (value) => SessionRegistry.revoke({ olderThan: value }, { reason: "a test" })],
  ["filter", noFilters, (value) => SessionRegistry.list(value)],
  ["filter", noFilters, (value) => SessionRegistry.revoke(value, { reason: "a test" })],
  ["ids", [[1], null, "1"], (value) => SessionRegistry.revoke({ ids: value }, { reason: "a test" })],
  ["tags", [{}, [], null, "blue"], (value) => SessionRegistry.revoke({ tags: value }, { reason: "a test" })],
  ["options", [...noObjects, { reason: "a test", dedline: 0 }], (value) => SessionRegistry.revoke({}, value)],
  ["reason", [undefined, null, 1], (value) => SessionRegistry.revoke({}, { reason: value })],
  ["kind", [undefined, 1], (value) => Session.acquire({ kind: value, name: "one" }, Effect.void, () => Effect.void)],
  ["name", [undefined, null], (value) => Session.scoped({ kind: "one", name: value })(Effect.void)],
  ["every", noIntervals, (value) => layered(SessionLeaks.layer({ every: value }))],
  ["connections", [0, ...noCounts], (value) => Transport.make(wire, { connections: value })],
  ["maxWaiting", noCounts, (value) => Transport.make(wire, { maxWaiting: value })],
  ["idleTimeToLive", noDurations, (value) => Transport.make(wire, { idleTimeToLive: value })],
  ["maxLifetime", noDurations, (value) => Transport.make(wire, { maxLifetime: value })],
  ["closeTimeout", noFinites, (value) => Transport.make(wire, { closeTimeout: value })],
  ["maxBodySize", noSizes, (value) => Transport.make(wire, { maxBodySize: value })],
  [
    "maxBodySize",
    noSizes,
    (value) => Effect.flatMap(Transport.make(wire), ({ execute }) => execute({ ...request, maxBodySize: value }))
  ],
  [
    "timeouts.firstToken",
    noDurations,
    (value) =>
      Effect.flatMap(Transport.make(wire), ({ execute }) => execute({ ...request, timeouts: { firstToken: value } }))
  ],
  ["limit", noSizes, (value) => Transport.bytes({ status: 200, headers: {}, sentAt: 0, body: Effect.never }, value)],
  ["maxBodySize", noSizes, (value) => HttpClientView.fromHttpClient(client, { maxBodySize: value })],
  [
    "maxBodySize",
    noSizes,
    (value) => HttpClientView.fromHttpClient(client).execute({ ...request, maxBodySize: value })
  ],
  [
    "timeouts.firstToken",
    noDurations,
    (value) => HttpClientView.fromHttpClient(client).execute({ ...request, timeouts: { firstToken: value } })
  ],
  ["deadline", noDurations, (value) => RequestScope.http({ deadline: value })],
  [
    "deadline",
    noDurations,
    (value) => layered(RequestScope.layer({ deadline: value }).pipe(Layer.provide(HttpRouter.layer)))
  ],
  ["deadline", noDurations, (value) => layered(RequestScope.layerRpc({ deadline: value }))],
  ["limit", noCounts, (value) => Instrument.bounded("kind", value)]
]

describe("a wrong option", () => {
  it.effect.each(settings)(
    "`%s` is a RangeError that names it, whatever is wrong",
    ([name, wrong, set]) =>
      Effect.forEach(wrong, (value) =>
        Effect.gen(function*() {
          const exit = yield* Effect.suspend(() => {
            const result = set(value)
            return Effect.isEffect(result) ? result as Effect.Effect<unknown, unknown, Scope.Scope> : Effect.void
          }).pipe(Effect.scoped, Effect.timeout("1 second"), Effect.exit)
          assert(Exit.isFailure(exit), `${String(value)} was accepted`)
          const error = Cause.squash(exit.cause)
          assert.instanceOf(error, RangeError)
          assert.include(error.message, `\`${name}\``)
        }))
  )

  it.effect("of the registry does not end the search for leaks in silence", () => {
    const logged: Array<unknown> = []
    const log = Logger.layer([Logger.make(({ message }) => logged.push(message))])
    return Effect.gen(function*() {
      yield* Layer.build(SessionLeaks.layer())
      yield* open
      yield* Moments.turn(3)
      yield* TestClock.adjust("20 seconds")
      assert.strictEqual(logged.length, 2)
    }).pipe(Effect.provide([SessionRegistry.layer({ leakThreshold: () => -1 }), log]))
  })
})

describe("a filter with an unknown field", () => {
  it.effect("revokes nothing, and names the field and the known ones", () =>
    Effect.gen(function*() {
      yield* open
      const filter = JSON.parse(`{"tenat":"acme"}`) as SessionRegistry.Filter
      const exit = yield* Effect.exit(SessionRegistry.revoke(filter, { reason: "suspended" }))
      assert(Exit.isFailure(exit))
      assert.match(String(Cause.squash(exit.cause)), /`tenant`, .*: `tenat` is none of them/)
      assert.strictEqual((yield* SessionRegistry.list()).length, 1)
      assert.strictEqual((yield* SessionRegistry.list(Object.create(null) as SessionRegistry.Filter)).length, 1)
    }).pipe(Effect.scoped, Effect.provide(SessionRegistry.layer())))
})

describe("OptionCheck", () => {
  it("lets the ends of a range through", () => {
    assert.strictEqual(OptionCheck.count("port", 0, 0, 65_535), 0)
    assert.strictEqual(OptionCheck.count("port", 65_535, 0, 65_535), 65_535)
    assert.throws(() => OptionCheck.count("port", 65_536, 0, 65_535), RangeError, "65535")
    assert.strictEqual(OptionCheck.ratio("ratio", 1), 1)
    assert.strictEqual(OptionCheck.size("size", Infinity), Infinity)
    assert.deepStrictEqual(OptionCheck.duration("wait", "Infinity"), Duration.infinity)
    assert.deepStrictEqual(OptionCheck.finite("wait", 0), Duration.zero)
    assert.deepStrictEqual(OptionCheck.interval("every", "1 milli"), Duration.millis(1))
    assert.deepStrictEqual(OptionCheck.interval("every", Infinity), Duration.infinity)
  })

  it("shows what was wrong, but for a secret", () => {
    assert.strictEqual(
      OptionCheck.wrong("wait", -5n, "a duration").message,
      "The option `wait` must be a duration, not -5n"
    )
    assert.notInclude(OptionCheck.wrong("key", Redacted.make("sk-secret"), "a key").message, "sk-secret")
  })
})
