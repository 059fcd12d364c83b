/** What a vendor rejects is not sent, as its row says. */
import { OpenAi, type Protocol, Target } from "@clawback/providers"
import * as Cohere from "@clawback/providers/Cohere"
import * as LmStudio from "@clawback/providers/LmStudio"
import * as Perplexity from "@clawback/providers/Perplexity"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Result } from "effect"
import * as FakeTransport from "./support/fakeTransport.ts"

const asking = { model: "m", messages: [{ role: "user", content: "?" }] } as const
const asStream: Protocol.Delivery = { stream: true, includeUsage: true }

describe("a top K", () => {
  it("does not go to OpenAI, which rejects it, and is reported", () => {
    const dropped: Array<string> = []
    const { encodeRequest } = OpenAi.provider.chat
    const body = Result.getOrThrow(encodeRequest({ ...asking, topK: 7 }, asStream, ({ field }) => dropped.push(field)))
    assert.notProperty(body, "top_k")
    assert.deepStrictEqual(dropped, ["topK"])
  })

  it.effect("of a layer is refused when the layer is built", () =>
    Effect.gen(function*() {
      const target = OpenAi.target("m", { parameters: { topK: 7 } })
      const layer = Target.layer(target).pipe(Layer.provide(FakeTransport.make().layer))
      const error = yield* Effect.flip(Effect.scoped(Layer.build(layer)))
      assert.strictEqual(error._tag, "Unsupported")
      assert.include(error.message, "topK")
    }))
})

describe("a stream", () => {
  it("does not ask Cohere for its usage, since Cohere rejects the field", () => {
    const body = Result.getOrThrow(Cohere.provider.chat.encodeRequest(asking, asStream))
    assert.strictEqual(body["stream"], true)
    assert.notProperty(body, "stream_options")
  })
})

describe("the choice of one tool", () => {
  const tools = [{ name: "f", parameters: { type: "object" } }, { name: "g", parameters: { type: "object" } }]
  const named = (tool: string) =>
    Result.getOrThrow(LmStudio.provider.chat.encodeRequest({ ...asking, tools, toolChoice: { tool } }, asStream))

  it("is `required` with that tool alone for LM Studio, which rejects an object", () => {
    assert.deepInclude(named("g"), {
      tool_choice: "required",
      tools: [{ type: "function", function: { name: "g", parameters: { type: "object" } } }]
    })
  })

  it("that is none of the tools is left to the server", () => {
    assert.deepInclude(named("h"), { tool_choice: { type: "function", function: { name: "h" } } })
    assert.lengthOf(named("h")["tools"] as ReadonlyArray<unknown>, 2)
  })
})

describe("JSON without a schema", () => {
  it.each([["LmStudio", LmStudio.provider.chat], ["Perplexity", Perplexity.provider.chat]] as const)(
    "is asked for by the schema of any object where there is no json_object: %s",
    (_, { encodeRequest }) => {
      const body = Result.getOrThrow(encodeRequest({ ...asking, format: { type: "json" } }, asStream))
      assert.deepStrictEqual(body["response_format"], {
        type: "json_schema",
        json_schema: { name: "response", schema: { type: "object" } }
      })
    }
  )
})
