import { Anthropic, OpenAi, Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Config, Effect, Exit, Layer, Redacted } from "effect"
import { LanguageModel } from "effect/ai"
import { Headers } from "effect/http"
import * as FakeTransport from "./support/fakeTransport.ts"
import { config, over, whole } from "./support/openAiModel.ts"

const ask = LanguageModel.generateText({ prompt: "Why?" })
const answer = whole({ content: "Because." })

describe("the headers of a layer", () => {
  it.effect.each<readonly [string, NonNullable<OpenAi.Options["headers"]>]>([
    ["a record", { "OpenAI-Organization": "org-1", "X-Team": Redacted.make("blue") }],
    ["Effect's Headers", Headers.fromInput({ "OpenAI-Organization": "org-1", "x-team": "blue" })]
  ])("are sent with each request: %s", ([, headers]) =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(answer, answer)
      yield* Effect.provide(Effect.andThen(ask, ask), over(fake, { headers }))
      for (const request of fake.requests) {
        assert.deepInclude(request.headers, {
          "openai-organization": "org-1",
          "x-team": "blue",
          "content-type": "application/json",
          authorization: "Bearer sk-nobody"
        })
      }
    }))

  it.effect("replace those of the protocol, such as Anthropic's version, and come from the configuration", () =>
    Effect.gen(function*() {
      const fake = FakeTransport.make(Effect.never)
      const layer = Anthropic.layerConfig({
        model: Config.succeed("claude"),
        headers: Config.succeed({ "anthropic-version": "2099-01-01", "anthropic-beta": "a,b" })
      }).pipe(Layer.provide([fake.layer, config({ ANTHROPIC_API_KEY: "sk-ant" })]))
      yield* Effect.forkChild(Effect.provide(ask, layer), { startImmediately: true })
      yield* Effect.yieldNow
      assert.deepInclude(fake.requests[0]?.headers, { "anthropic-version": "2099-01-01", "anthropic-beta": "a,b" })
    }))

  it("are none that the credential, the protocol or the transport sets", () => {
    for (
      const name of [
        "Authorization",
        "Content-Type",
        "accept",
        "accept-encoding",
        "idempotency-key",
        "Host",
        "connection",
        "Expect",
        "keep-alive",
        "upgrade",
        "content-encoding"
      ]
    ) {
      assert.throws(
        () => OpenAi.target("m", { headers: { [name]: "x" } }),
        RangeError,
        `\`headers.${name}\` must be left`
      )
      assert.throws(() => OpenAi.embeddingTarget("m", { headers: { [name]: "x" } }), RangeError, `\`headers.${name}\``)
    }
    assert.throws(() => Anthropic.target("m", { headers: { "X-API-Key": "x" } }), RangeError, "`credential`")
    // Another server's own scheme, beside Anthropic's key.
    assert.isDefined(Anthropic.target("m", { headers: { authorization: "Basic x" } }))
  })

  it("are rejected without their values if they cannot be sent", () => {
    for (const [name, value] of [["x-a", "secret\r\nx-b: 1"], ["x-a", "secret\u2603"], ["x a", "secret"]] as const) {
      for (const given of [value, Redacted.make(value)]) {
        let thrown: unknown
        try {
          OpenAi.target("m", { headers: { [name]: given } })
        } catch (error) {
          thrown = error
        }
        assert.instanceOf(thrown, RangeError)
        assert.include(String(thrown), `headers.${name}`)
        assert.notInclude(String(thrown), "secret")
      }
    }
  })

  it.effect("reject a layer when it is built", () =>
    Effect.gen(function*() {
      const exit = yield* Effect.exit(Effect.provide(ask, over(FakeTransport.make(), { headers: { host: "a.test" } })))
      assert.isTrue(Exit.hasDies(exit))
    }))

  it.effect("are not quoted in errors if they are redacted or long", () =>
    Effect.gen(function*() {
      const message = "no abc in abcd, no gateway-secret-1234, but v1"
      const reply = FakeTransport.json(JSON.stringify({ error: { message } }), { status: 400 })
      const headers = { "x-a": Redacted.make("abc"), "x-gateway": "gateway-secret-1234", "x-version": "v1" }
      const error = yield* Target.generate({ messages: [{ role: "user", content: "Why?" }] }).pipe(
        Effect.flip,
        Effect.provide(over(FakeTransport.make(reply), { headers }))
      )
      assert.deepInclude(error, { detail: "no <redacted> in abcd, no <redacted>, but v1" } as object)
    }))
})
