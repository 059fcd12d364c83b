/** Anthropic's model over a fake transport, and answers of it. */
import { SessionRegistry } from "@clawback/core"
import { Anthropic } from "@clawback/providers"
import { Layer } from "effect"
import * as FakeTransport from "./fakeTransport.ts"
import { config } from "./openAiModel.ts"

type Fake = ReturnType<typeof FakeTransport.make>

/** The model over a transport, in a registry of its own. */
export const over = (fake: Fake, options: Partial<Anthropic.Options> = {}) =>
  Anthropic.layer({ model: "claude-sonnet-5-5", baseUrl: "http://provider.test", ...options }).pipe(
    Layer.provide(fake.layer),
    Layer.provide(config({ ANTHROPIC_API_KEY: "sk-nobody" })),
    Layer.provideMerge(SessionRegistry.layer())
  )

export const whole = (content: ReadonlyArray<object>, fields: object = {}) =>
  FakeTransport.json(JSON.stringify({
    id: "msg_1",
    type: "message",
    role: "assistant",
    model: "claude-sonnet-5-5",
    content,
    stop_reason: "end_turn",
    stop_sequence: null,
    ...fields
  }))
