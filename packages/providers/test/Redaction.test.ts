import { Credential, SessionRegistry } from "@clawback/core"
import { Auth, OpenAiChat, Provider, Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as FakeTransport from "./support/fakeTransport.ts"

const asked = Target.generate({ messages: [{ role: "user", content: "Why?" }] })

/** What the error of a call quotes of what the provider said. */
const quoted = (
  message: string,
  secret: string,
  { baseUrl = "https://api.own.test/v1", ...row }: Partial<Provider.Row> = {}
) => {
  const own: Provider.ChatRow = { name: "own", baseUrl, sources: {}, ...row, chat: OpenAiChat.protocol }
  const credential = Credential.redacted("k", Redacted.make(secret))
  const fake = FakeTransport.make(FakeTransport.json(JSON.stringify({ error: { message } }), { status: 400 }))
  const layer = Target.layer(Provider.make(own).target("m", { credential })).pipe(
    Layer.provide(fake.layer),
    Layer.provideMerge(SessionRegistry.layer())
  )
  return Effect.map(Effect.flip(Effect.provide(asked, layer)), (error) => "detail" in error ? error.detail : "")
}

const parts: Auth.Auth = { ...Auth.bearer, secrets: (secret) => secret.split(":") }

describe("secrets that overlap are redacted whole", () => {
  it.effect("where a part of a secret contains another one", () =>
    Effect.gen(function*() {
      const detail = yield* quoted("no ak1 with hunter2-ak1-long", "ak1:hunter2-ak1-long", { auth: parts })
      assert.strictEqual(detail, "no <redacted> with <redacted>")
    }))

  it.effect("where the end of one is the beginning of another, or of itself", () =>
    Effect.gen(function*() {
      const secret = "opensesame:sesame-street:aXaXaXaXa"
      const detail = yield* quoted("not <opensesame-street> and <aXaXaXaXaXaXa>", secret, { auth: parts })
      assert.strictEqual(detail, "not <<redacted>> and <<redacted>>")
    }))

  it.effect("where the query of the base URL contains the key", () =>
    Effect.gen(function*() {
      const detail = yield* quoted("unknown: hunter2-of-the-gateway, hunter2", "hunter2", {
        baseUrl: "https://api.own.test/v1?code=hunter2-of-the-gateway"
      })
      assert.strictEqual(detail, "unknown: <redacted>, <redacted>")
    }))

  it.effect("though their characters mean something in a pattern", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* quoted("no a.c+(d)|[e]\\$, abc", "a.c+(d)|[e]\\$"), "no <redacted>, abc")
    }))
})

describe("a secret of less than 8 characters", () => {
  it.effect("is redacted as a word of its own, and not inside of words", () =>
    Effect.gen(function*() {
      const banana = "a banana, (a) and a_b: aà, à, a."
      assert.strictEqual(yield* quoted(banana, "a"), "<redacted> banana, (<redacted>) and a_b: aà, à, <redacted>.")
      assert.strictEqual(yield* quoted("1234567 but not 12345678", "1234567"), "<redacted> but not 12345678")
    }))

  it.effect("of 8 is redacted everywhere", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* quoted("x12345678x", "12345678"), "x<redacted>x")
    }))

  it.effect("is redacted next to letters where its own edge is none", () =>
    Effect.gen(function*() {
      assert.strictEqual(yield* quoted("key=%x%y", "%x%"), "key=<redacted>y")
    }))
})
