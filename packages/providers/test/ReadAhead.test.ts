import { Transport } from "@clawback/core"
import { OpenAi } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Cause, Deferred, Effect, Fiber, Layer, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { config, handlers, toolkit } from "./support/openAiModel.ts"
import { done, finishes, says, utf8 } from "./support/openAiWire.ts"

const text = utf8(says({ content: "x" }))

/** A provider that sends so many parts as fast as they are read. */
const provider = (parts: number) => {
  const sent = { parts: 0 }
  const body: Transport.Response["body"] = Effect.suspend(() => {
    if (sent.parts > parts) return Cause.done()
    return Effect.succeed([sent.parts++ === parts ? utf8(finishes("stop") + done) : text] as const)
  })
  const response = { status: 200, headers: { "content-type": "text/event-stream" }, sentAt: 0, body }
  const layer = OpenAi.layer({ model: "gpt-5", baseUrl: "http://provider.test/v1" }).pipe(
    Layer.provide(Layer.succeed(Transport.Transport, { execute: () => Effect.succeed(response) })),
    Layer.provide(config({ OPENAI_API_KEY: "sk-nobody" })),
    Layer.merge(handlers)
  )
  return { layer, sent }
}

const idle = Effect.repeat(Effect.yieldNow, { times: 500 })

describe("with a toolkit", () => {
  it.effect("a slow reader stops the provider after 64 unread parts, and gets every part", () => {
    const { layer, sent } = provider(1000)
    return Effect.gen(function*() {
      const paused = yield* Deferred.make<void>()
      let read = 0
      const reader = yield* LanguageModel.streamText({ prompt: "Why?", toolkit }).pipe(
        Stream.runForEach((part) => {
          if (part.type !== "text-delta") return Effect.void
          read += part.delta.length
          return read < 100 ? Effect.void : Deferred.await(paused)
        }),
        Effect.forkChild
      )
      yield* idle
      // What the reader was given and has not handled yet counts as read.
      assert.isAtMost(sent.parts, 100 + 2 * 64 + 2)
      yield* Deferred.succeed(paused, undefined)
      yield* Fiber.join(reader)
      assert.strictEqual(read, 1000)
    }).pipe(Effect.provide(layer))
  })

  it.effect("a reader that never reads again holds nothing once it is interrupted", () => {
    const { layer, sent } = provider(1000)
    return Effect.gen(function*() {
      const reader = yield* LanguageModel.streamText({ prompt: "Why?", toolkit }).pipe(
        Stream.runForEach(() => Effect.never),
        Effect.forkChild
      )
      yield* idle
      yield* Fiber.interrupt(reader)
      const { parts } = sent
      yield* idle
      assert.strictEqual(sent.parts, parts)
    }).pipe(Effect.provide(layer))
  })
})
