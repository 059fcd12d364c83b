import { Credential } from "@clawback/core"
import { type ChatEvent, OpenAiChat, type Protocol, Provider, Target } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Exit, Layer, Stream } from "effect"
import * as FakeTransport from "./support/fakeTransport.ts"

const text: ChatEvent.ChatEvent = { _tag: "TextDelta", text: "x" }
const finish: ChatEvent.ChatEvent = { _tag: "Finished", reason: "stop", raw: "STOP" }

/** A decoder that reports neither a failure nor its end. Each chunk is one list of events. */
class Silent implements Protocol.Decoder {
  readonly isDone = false
  readonly failure = undefined
  isFinished = false
  ends = 0
  private readonly chunks: Array<ReadonlyArray<ChatEvent.ChatEvent>>

  constructor(...chunks: ReadonlyArray<ReadonlyArray<ChatEvent.ChatEvent>>) {
    this.chunks = [...chunks]
  }

  push(): ReadonlyArray<ChatEvent.ChatEvent> {
    const events = this.chunks.shift() ?? []
    this.isFinished ||= events.includes(finish)
    return events
  }

  end(): ReadonlyArray<ChatEvent.ChatEvent> {
    // A call that asks for ever would not end this test.
    if (++this.ends > 1) throw new Error("The end was reported twice")
    return []
  }
}

const received = (decoder: Protocol.Decoder) => {
  const events: Array<ChatEvent.ChatEvent> = []
  const { layer } = FakeTransport.make(FakeTransport.events("1", "2"))
  const own = Provider.make({
    name: "own",
    baseUrl: "https://api.own.test",
    chat: { ...OpenAiChat.protocol, makeDecoder: () => decoder },
    credential: Credential.none,
    sources: {}
  })
  return Target.stream({ messages: [{ role: "user", content: "Why?" }] }).pipe(
    Stream.runForEach((event) => Effect.sync(() => events.push(event))),
    Effect.exit,
    Effect.map((exit) => ({ events, exit })),
    Effect.provide(Layer.provide(Target.layer(own.target("m")), layer))
  )
}

describe("a stream decoder of one's own that reports neither a failure nor its end", () => {
  it.effect("ends its call with the body, as truncated", () =>
    Effect.gen(function*() {
      const decoder = new Silent([text])
      const { events, exit } = yield* received(decoder)
      assert.deepStrictEqual(events, [text])
      assert.strictEqual(decoder.ends, 1)
      const error = yield* Effect.flip(exit)
      assert.deepInclude(error, { _tag: "StreamTruncated", provider: "own", delivered: 1 } as object)
    }))

  it.effect("ends its call with the body, as a success once it has finished", () =>
    Effect.gen(function*() {
      const decoder = new Silent([text, finish])
      const { events, exit } = yield* received(decoder)
      assert.deepStrictEqual(events, [text, finish])
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(decoder.ends, 1)
    }))

  it.effect("ends its call where the last chunk finishes it", () =>
    Effect.gen(function*() {
      const decoder = new Silent([text], [finish])
      const { events, exit } = yield* received(decoder)
      assert.deepStrictEqual(events, [text, finish])
      assert.isTrue(Exit.isSuccess(exit))
      assert.strictEqual(decoder.ends, 1)
    }))
})
