import { Credential, SessionRegistry } from "@clawback/core"
import { Auth, OpenAiChat, Provider, Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Redacted } from "effect"
import * as FakeTransport from "./support/fakeTransport.ts"
import { whole } from "./support/openAiModel.ts"

const asked = Target.generate({ messages: [{ role: "user", content: "Why?" }] })

const own: Provider.ChatRow = {
  name: "own",
  baseUrl: "https://api.own.test/v1",
  chat: OpenAiChat.protocol,
  credential: Credential.redacted("k", Redacted.make("sk-own")),
  sources: {}
}

const over = (row: Partial<Provider.ChatRow>, fake: ReturnType<typeof FakeTransport.make>) =>
  Provider.make({ ...own, ...row }).layer({ model: "m" }).pipe(
    Layer.provide(fake.layer),
    Layer.provideMerge(SessionRegistry.layer())
  )

const sent = (row: Partial<Provider.ChatRow>) =>
  Effect.gen(function*() {
    const fake = FakeTransport.make(whole({ content: "Because." }))
    yield* Effect.provide(asked, over(row, fake))
    return fake.requests[0]?.headers
  })

describe("the headers of a row", () => {
  it.effect("are sent once, in lower case, in place of the protocol's", () =>
    Effect.gen(function*() {
      const { protocol } = OpenAiChat
      const chat: Provider.ChatRow["chat"] = {
        ...protocol,
        request: (model, delivery) => ({
          ...protocol.request(model, delivery),
          headers: { "X-Version": "1", "X-B": "b" }
        })
      }
      const headers = { "Content-Type": "application/json; charset=utf-8", Accept: "a/b", "x-version": "2" }
      assert.deepStrictEqual(yield* sent({ chat, headers }), {
        "content-type": "application/json; charset=utf-8",
        accept: "a/b",
        "x-version": "2",
        "x-b": "b",
        authorization: "Bearer sk-own"
      })
    }))

  it.effect("give way to the credential, whatever the case of its header", () =>
    Effect.gen(function*() {
      const headers = { "X-Api-Key": "row" }
      assert.include(yield* sent({ headers, auth: Auth.header("x-API-key") }), { "x-api-key": "sk-own" })
      const capital: Auth.Auth = {
        ...Auth.bearer,
        authorize: (request, secret) =>
          Effect.succeed({ ...request, headers: { ...request.headers, "X-API-KEY": secret } })
      }
      const signed = yield* sent({ headers, auth: capital })
      assert.include(signed, { "x-api-key": "sk-own" })
      assert.notProperty(signed, "X-API-KEY")
    }))

  it("are none that describe the connection or the body's length", () => {
    for (const name of ["Host", "content-length", "Transfer-Encoding", "connection"]) {
      assert.throws(() => Provider.make({ ...own, headers: { [name]: "1" } }), RangeError, `\`headers.${name}\``)
    }
    const headers = { "x-a": undefined } as unknown as Record<string, string>
    assert.throws(() => Provider.make({ ...own, headers }), RangeError, "`headers.x-a` must be a text")
  })

  it.effect("are not quoted in errors, unless they are short", () =>
    Effect.gen(function*() {
      const headers = { "x-gateway": "Bearer gateway-secret-1234", "x-short": "v1" }
      const message = "no gateway-secret-1234, no Bearer gateway-secret-1234, v1"
      const fake = FakeTransport.make(FakeTransport.json(JSON.stringify({ error: { message } }), { status: 400 }))
      const error = yield* Effect.flip(Effect.provide(asked, over({ headers }, fake)))
      assert.deepInclude(error, { detail: "no <redacted>, no <redacted>, v1" } as object)
    }))
})
