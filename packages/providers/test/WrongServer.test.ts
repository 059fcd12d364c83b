import { type OpenAi, ProviderError, Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import * as FakeTransport from "./support/fakeTransport.ts"
import { over } from "./support/openAiModel.ts"

const page = (status: number): FakeTransport.Reply => ({
  status,
  headers: { "content-type": "text/html; charset=utf-8" },
  chunks: ["<!doctype html><title>Welcome</title>"]
})
const messages = [{ role: "user", content: "Why?" }] as const
const calls = [Target.generate({ messages }), Stream.runDrain(Target.stream({ messages }))]
const baseUrl = "http://wrong.test/app?key=hunter2-hunter2-hunter2"
const from = "http://wrong.test/app/chat/completions as text/html; charset=utf-8"

const failures = (reply: FakeTransport.Reply, options: Partial<OpenAi.Options> = { baseUrl }) =>
  Effect.forEach(
    calls,
    (call) =>
      Effect.flip(call as Effect.Effect<unknown, ProviderError.CallError, Target.ChatModel>).pipe(
        Effect.provide(over(FakeTransport.make(reply), options))
      )
  )

describe("an error whose response may be another server's", () => {
  it.effect.each([200, 404, 405, 502])(
    "names the URL and the content type: a page with status %i",
    (status) =>
      Effect.gen(function*() {
        for (const error of yield* failures(page(status))) {
          assert.deepInclude(error, { from } as object)
          assert.include(error.message, `It came from ${from}.`)
          assert.notInclude(JSON.stringify(error) + error.message, "hunter2")
        }
      })
  )

  it.effect("names the URL of a 404 in JSON, and of a success that is no answer", () =>
    Effect.gen(function*() {
      const json = "http://provider.test/v1/chat/completions as application/json"
      for (const status of [404, 200]) {
        const reply = FakeTransport.json("{\"message\":\"hello\"}", { status })
        for (const error of yield* failures(reply, {})) assert.include(error.message, `It came from ${json}.`)
      }
      const [bare] = yield* failures({ status: 404, headers: {}, chunks: [] }, {})
      assert.include(bare?.message, "completions without a content type.")
    }))

  it.effect("keeps the key out of it, and all other fields", () =>
    Effect.gen(function*() {
      const type = `text/sk-nobody${"x".repeat(200)}`
      const [error] = yield* failures({ ...page(429), headers: { "content-type": type, "retry-after": "3" } })
      assert.instanceOf(error, ProviderError.RateLimited)
      assert.isDefined(error?.retryAfter)
      assert.isBelow(error?.from?.length ?? 0, 200)
      const description = yield* LanguageModel.generateText({ prompt: "Why?" }).pipe(
        Effect.flip,
        Effect.map(({ message }) => message),
        Effect.provide(over(FakeTransport.make(page(404)), { baseUrl }))
      )
      assert.include(description, from)
    }))

  it.effect("is no other error of the provider", () =>
    Effect.gen(function*() {
      const body = JSON.stringify({ error: { message: "too long", code: "context_length_exceeded" } })
      for (const error of yield* failures(FakeTransport.json(body, { status: 400 }))) {
        assert.notInclude(error.message, "It came from")
      }
    }))
})
