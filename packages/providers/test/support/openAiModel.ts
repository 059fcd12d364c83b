/** OpenAI's model over a fake transport, tools for it, and answers of it. */
import { SessionRegistry } from "@clawback/core"
import { OpenAi } from "@clawback/providers"
import { assert } from "@effect/vitest"
import { ConfigProvider, Effect, Layer, Schema } from "effect"
import { AiError, Tool, Toolkit } from "effect/ai"
import * as FakeTransport from "./fakeTransport.ts"

type Fake = ReturnType<typeof FakeTransport.make>

export const config = (values: object) => ConfigProvider.layer(ConfigProvider.fromUnknown(values))

/** The model over a transport, in a registry of its own. */
export const over = (fake: Fake, options: Partial<OpenAi.Options> = {}) =>
  OpenAi.layer({ model: "gpt-5", baseUrl: "http://provider.test/v1", ...options }).pipe(
    Layer.provide(fake.layer),
    Layer.provide(config({ OPENAI_API_KEY: "sk-nobody" })),
    Layer.provideMerge(SessionRegistry.layer())
  )

export const whole = (message: object, fields: object = {}, finish = "stop") =>
  FakeTransport.json(JSON.stringify({
    id: "chatcmpl-1",
    model: "gpt-5-2026-08-07",
    choices: [{ index: 0, message: { role: "assistant", content: null, ...message }, finish_reason: finish }],
    ...fields
  }))

export const called = (id: string, name: string, text: string) => ({
  id,
  type: "function",
  function: { name, arguments: text }
})

export const weather = Tool.make("weather", {
  description: "The weather of a place",
  parameters: Schema.Struct({ city: Schema.String }),
  success: Schema.Struct({ celsius: Schema.Finite })
})
const clock = Tool.make("clock", { success: Schema.String })
export const toolkit = Toolkit.make(weather, clock)
export const handlers = toolkit.toLayer({
  weather: ({ city }) => Effect.succeed({ celsius: city.length }),
  clock: () => Effect.succeed("noon")
})

export const weatherOnWire = {
  type: "function",
  function: {
    name: "weather",
    description: "The weather of a place",
    parameters: {
      type: "object",
      properties: { city: { type: "string" } },
      required: ["city"],
      additionalProperties: true
    }
  }
}

/** Why a call failed that must fail, in Effect's terms. */
export const reasonOf = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.map(Effect.flip(call), (error) => {
    assert(AiError.isAiError(error))
    return error.reason
  })
