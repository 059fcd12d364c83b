import * as Session from "@clawback/core/Session"
import * as SessionObserver from "@clawback/core/SessionObserver"
import * as SessionRegistry from "@clawback/core/SessionRegistry"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Logger } from "effect"
import { TestClock } from "effect/testing"
import { turn } from "./Moments.ts"

const info = { kind: "a", name: "one" }
const isolated = Effect.provide(SessionRegistry.layer())

/** What observers threw, as the log has it. */
const logged = () => {
  const defects: Array<unknown> = []
  const logger = Logger.make(({ cause }) =>
    defects.push(...cause.reasons.filter(Cause.isDieReason).map((_) => _.defect))
  )
  return { defects, layer: Logger.layer([logger]) }
}

/** Throws at changes of one sort, and notes all. */
const listen = (fails: SessionRegistry.Change["_tag"]) =>
  Effect.map(SessionRegistry.SessionRegistry, (registry) => {
    const broken: Array<string> = []
    const sound: Array<string> = []
    SessionObserver.onChange(registry, ({ _tag }) => {
      broken.push(_tag)
      if (_tag === fails) throw new Error(_tag)
    })
    SessionObserver.onChange(registry, ({ _tag }) => sound.push(_tag))
    return { broken, sound }
  })

describe("A listener that throws", () => {
  for (const fails of ["Opened", "Revoked", "Closed"] as const) {
    it.effect(`when a session is ${fails.toLowerCase()} changes nothing, and it is logged`, () => {
      const { defects, layer } = logged()
      return Effect.gen(function*() {
        const heard = yield* listen(fails)
        let held = 0
        const use = Session.use(
          info,
          Effect.sync(() => held++),
          () => Effect.sync(() => held--),
          () => held === 1 ? Effect.never : Effect.die("held twice")
        )
        const fiber = yield* Effect.forkChild(use)
        yield* turn(3)
        assert.strictEqual(held, 1)
        const revoking = yield* Effect.forkChild(SessionRegistry.revoke({}, { reason: "why not" }))
        yield* TestClock.adjust("1 minute")
        const { forced, revoked, stuck } = yield* Fiber.join(revoking)
        assert.deepStrictEqual([revoked.length, forced.length, stuck.length], [1, 0, 0])
        const exit = yield* Fiber.await(fiber)
        assert.deepStrictEqual(Exit.isFailure(exit) && exit.cause.reasons.map((_) => _._tag), ["Fail"])
        assert.deepStrictEqual([held, yield* SessionRegistry.counts], [0, {}])
        const all = ["Opened", "Revoked", "Closed"]
        assert.deepStrictEqual(heard, { broken: all, sound: all })
        assert.deepStrictEqual(defects.map((defect) => defect instanceof Error && defect.message), [fails])
      }).pipe(isolated, Effect.provide(layer))
    })
  }

  it.effect("as it hears of a kind changes nothing, and it is logged", () => {
    const { defects, layer } = logged()
    return Effect.gen(function*() {
      const registry = yield* SessionRegistry.SessionRegistry
      const heard: Array<string> = []
      const watch = () =>
        SessionObserver.onKind(registry, ({ kind }) => {
          heard.push(kind)
          throw new Error(kind)
        })
      watch()
      const value = yield* Session.use(info, Effect.succeed(1), () => Effect.void, Effect.succeed)
      watch()
      assert.deepStrictEqual([value, heard, defects.length], [1, ["a", "a"], 2])
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated, Effect.provide(layer))
  })
})

describe("An attribute that cannot be read", () => {
  it.effect("is shown as such, and changes nothing", () =>
    Effect.gen(function*() {
      yield* listen("Missed")
      const attributes = {
        size: 1,
        get broken(): string {
          throw new Error("broken")
        }
      }
      const shown = yield* Session.use(
        { ...info, attributes },
        Effect.void,
        () => Effect.void,
        () => Effect.map(SessionRegistry.list(), (all) => all.map((_) => _.attributes))
      )
      assert.deepStrictEqual(shown, [{ size: 1, broken: "<unreadable>" }])
      assert.deepStrictEqual(yield* SessionRegistry.counts, {})
    }).pipe(isolated))
})

describe("Attributes", () => {
  it.effect("are shown with secrets struck out, and URLs without what may be one", () =>
    Effect.gen(function*() {
      const attributes = {
        apiKey: "s3cret",
        author: "me",
        nested: [{ authorization: "s3cret", ok: true }],
        url: "https://me:s3cret@provider.test/v1?key=s3cret#s3cret",
        parsed: new URL("https://provider.test/v1?key=s3cret"),
        text: "why? #1 @home"
      }
      const shown = yield* Session.use(
        { ...info, attributes },
        Effect.void,
        () => Effect.void,
        () => Effect.map(SessionRegistry.list(), (all) => all.map((_) => _.attributes))
      )
      assert.deepStrictEqual(shown, [{
        apiKey: "<redacted>",
        author: "me",
        nested: [{ authorization: "<redacted>", ok: true }],
        url: "https://<credentials>@provider.test/v1?<query>#<fragment>",
        parsed: "https://provider.test/v1?<query>",
        text: "why? #1 @home"
      }])
    }).pipe(isolated))
})
