/** A binary framing of one's own goes every way that a built-in one goes, without a line changed in `src`. */
import { NodeTransport } from "@clawback/node"
import { type ChatEvent, OpenAiChat, type Protocol, Provider, Target } from "@clawback/providers"
import * as Framing from "@clawback/providers/Framing"
import { Dialect, FaultyProvider } from "@clawback/testing"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"

/** Messages behind their length in four bytes. */
const framing: Framing.Framing<Uint8Array, Uint8Array> = {
  contentType: "application/vnd.test.frames",
  makeReader: (onFrame) => {
    let rest = Buffer.alloc(0)
    return {
      push: (bytes) => {
        rest = Buffer.concat([rest, bytes])
        while (rest.length >= 4 && rest.length >= 4 + rest.readUInt32BE()) {
          const end = 4 + rest.readUInt32BE()
          onFrame(rest.subarray(4, end))
          rest = rest.subarray(end)
        }
        return undefined
      },
      end: () => rest.length === 0 ? undefined : "a message that is cut short"
    }
  },
  write: (frame) => {
    const head = Buffer.alloc(4)
    head.writeUInt32BE(frame.length)
    return Buffer.concat([head, frame])
  }
}

/** A frame is one event as JSON. */
class Decoder extends Framing.StreamDecoder<Uint8Array> {
  protected override onFrame(frame: Uint8Array): void {
    const event: ChatEvent.ChatEvent = JSON.parse(Buffer.from(frame).toString())
    if (event._tag === "Finished") this.isFinished = true
    this.emit(event)
  }
}

const encode = (events: ReadonlyArray<ChatEvent.ChatEvent>): Uint8Array =>
  Buffer.concat(events.map((event) => framing.write(Buffer.from(JSON.stringify(event)))))

const chat: Protocol.ChatProtocol = {
  ...OpenAiChat.protocol,
  request: (model, delivery) => ({
    ...OpenAiChat.protocol.request(model, delivery),
    accept: delivery.stream ? framing.contentType : "application/json"
  }),
  framing,
  makeDecoder: (peer) => new Decoder(peer, framing),
  makeEncoder: () => ({ push: encode, end: () => Buffer.alloc(0), fail: () => Buffer.alloc(0) })
}

const Binary = Provider.make({ name: "binary", baseUrl: "https://binary.test/v3", chat, sources: {} })

describe("a binary framing of one's own", () => {
  it.live("carries an answer from a provider to a reader, whatever bytes it has", () =>
    Effect.gen(function*() {
      const text = "é 🌍 \u0000\n".repeat(100)
      const { requests, url } = yield* FaultyProvider.make({
        handler: Dialect.handler({ say: () => text, providers: [Binary.provider] })
      })
      const target = Binary.target("m", { baseUrl: `${url}/v3`, credential: Dialect.credential("sk-test") })
      const events = yield* Target.stream({ messages: [{ role: "user", content: "Why?" }] }).pipe(
        Stream.runCollect,
        Effect.provide(Target.layer(target).pipe(Layer.provide(NodeTransport.layer())))
      )
      assert.strictEqual(events.map((event) => event._tag === "TextDelta" ? event.text : "").join(""), text)
      assert.deepStrictEqual(events.map(({ _tag }) => _tag).slice(-2), ["Finished", "Used"])
      assert.strictEqual((yield* requests)[0]?.headers["accept"], framing.contentType)
    }).pipe(Effect.scoped))
})
