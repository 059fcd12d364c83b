/**
 * Cuts calls of both providers, through each face of a model, in every phase and in every way (see `abortRounds.ts`).
 *
 * `npm run prove -- faces [--scale small|full]`: each of the two providers is called through `LanguageModel.streamText`,
 * `generateText` and `generateObject`, `Target.stream` and `Target.generate`. Full, the default, cuts 1,000 calls of each in
 * known phases, and 100 at a random moment. Small cuts one for each phase and way.
 */
import { Retry } from "@clawback/core"
import { Anthropic, OpenAi, Target } from "@clawback/providers"
import { Dialect } from "@clawback/testing"
import { Effect, Schema, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import * as AbortRounds from "../support/abortRounds.ts"
import type * as Aborts from "../support/aborts.ts"
import * as Proof from "../support/proof.ts"
import { scale } from "../support/scale.ts"

const isSmall = scale() === "small"
const options = {
  credential: Dialect.credential("sk-no-real-key"),
  retry: Retry.jittered({ attempts: 4, budget: Retry.unlimited })
}
const prompt = "Why do sockets leak?"
const request: Target.Request = { messages: [{ role: "user", content: prompt }] }
const schema = Schema.Struct({ text: Schema.String })

/** Each call has a layer of its own, since the phase that it goes to stands in the base URL. */
const faces = (provider: string, targetAt: (baseUrl: string) => Target.Target): ReadonlyArray<Aborts.Way> => {
  const model = (url: string) => Target.layer(targetAt(url))
  return [
    {
      name: `${provider} streamText`,
      kind: "stream",
      call: (url) => Stream.provide(LanguageModel.streamText({ prompt }), model(url))
    },
    {
      name: `${provider} generateText`,
      kind: "whole",
      call: (url) => Effect.provide(LanguageModel.generateText({ prompt }), model(url))
    },
    {
      name: `${provider} generateObject`,
      kind: "whole",
      call: (url) => Effect.provide(LanguageModel.generateObject({ prompt, schema }), model(url))
    },
    {
      name: `${provider} Target.stream`,
      kind: "stream",
      call: (url) => Stream.provide(Target.stream(request), model(url))
    },
    {
      name: `${provider} Target.generate`,
      kind: "whole",
      call: (url) => Effect.provide(Target.generate(request), model(url))
    }
  ]
}

const ways = [
  ...faces("openai", (baseUrl) => OpenAi.target("gpt-5", { ...options, baseUrl })),
  ...faces("anthropic", (baseUrl) => Anthropic.target("claude-sonnet-5-5", { ...options, baseUrl }))
]

Proof.run(
  "faces",
  isSmall ? 55 : 2400,
  AbortRounds.prove(ways, { inPhases: isSmall ? 35 : 1_000, atAnyMoment: isSmall ? 4 : 100, isBusy: isSmall })
)
