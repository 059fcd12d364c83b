import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { LanguageModel } from "effect/ai"
import { inspect } from "node:util"
import * as FakeTransport from "./support/fakeTransport.ts"
import { over } from "./support/openAiModel.ts"

describe("an AiError of ours", () => {
  it.effect("shows its message first, and the provider's own error as its cause", () =>
    Effect.gen(function*() {
      const body = JSON.stringify({ error: { message: "no such model", code: "model_not_found" } })
      const error = yield* LanguageModel.generateText({ prompt: "Why?" }).pipe(
        Effect.flip,
        Effect.provide(over(FakeTransport.make(FakeTransport.json(body, { status: 404 }))))
      )
      const text = inspect(error)
      assert.isTrue(text.startsWith(`AiError: ${error.message}\n`))
      assert.include(text, "no such model")
      assert.include(text, "[cause]: ModelNotFound: openai answered 404 model_not_found: no such model.")
      assert.include(text, "reason: 'InvalidRequestError'")
      assert.deepInclude(JSON.parse(JSON.stringify(error)), { _tag: "AiError", message: error.message })
      assert.deepStrictEqual(Object.keys(error).includes("toJSON"), false)
    }))
})
