/**
 * Cuts calls of a bare transport, and of a protocol that is in no package, in every phase and in every way (see
 * `abortRounds.ts`).
 *
 * `npm run prove -- abort [--scale small|full]`: full, the default, cuts 1,000 calls in each way, streams and complete
 * responses, and 100 of each at a random moment. Small cuts one for each phase and way.
 */
import { Retry } from "@clawback/core"
import { Target } from "@clawback/providers"
import { Dialect } from "@clawback/testing"
import { Effect, Stream } from "effect"
import * as AbortRounds from "../support/abortRounds.ts"
import type * as Aborts from "../support/aborts.ts"
import * as Governed from "../support/governed.ts"
import { Own } from "../support/ownProtocol.ts"
import * as Proof from "../support/proof.ts"
import { scale } from "../support/scale.ts"

const isSmall = scale() === "small"
const policy = Retry.jittered({ attempts: 4, budget: Retry.unlimited })

const request: Target.Request = { messages: [{ role: "user", content: "Why do sockets leak?" }] }
const own = (baseUrl: string) =>
  Target.layer(Own.target("own-1", { baseUrl, credential: Dialect.credential("id-1:no real key"), retry: policy }))

const ways: ReadonlyArray<Aborts.Way> = [
  {
    name: "stream",
    kind: "stream",
    call: (url) => Governed.stream({ method: "GET", url, headers: {} }, policy)
  },
  {
    name: "whole",
    kind: "whole",
    call: (url) => Governed.whole({ method: "GET", url, headers: {} }, policy)
  },
  {
    name: "own protocol, stream",
    kind: "stream",
    call: (url) => Stream.provide(Target.stream(request), own(url))
  },
  {
    name: "own protocol, whole",
    kind: "whole",
    call: (url) => Effect.provide(Target.generate(request), own(url))
  }
]

Proof.run(
  "abort",
  isSmall ? 55 : 1200,
  AbortRounds.prove(ways, { inPhases: isSmall ? 35 : 1_000, atAnyMoment: isSmall ? 4 : 100, isBusy: isSmall })
)
