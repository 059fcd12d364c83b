/**
 * An unread body keeps no connection: not from the next attempt, and not from the next call.
 *
 * `npm run prove -- bodies [--scale small|full]`. First, on the only connection, a call is rejected three times with an
 * unread body of 2 MB, and answered the fourth time: it must succeed. Effect's own `HttpClient.retryTransient` on undici, with
 * as many connections and retries, does the same beside it, within ten seconds (small: three). Then 1,000 responses (small:
 * 100) of five kinds are left unread. Each must have released its session and its connection when its scope has ended. Every
 * response is kept, so that the garbage collector cannot be the cause.
 */
import { Retry, SessionRegistry, Transport } from "@clawback/core"
import { NodeTransport } from "@clawback/node"
import { Behavior, FaultyProvider } from "@clawback/testing"
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Console, Duration, Effect, Option } from "effect"
import { HttpClient } from "effect/http"
import * as Ends from "../support/ends.ts"
import * as Governed from "../support/governed.ts"
import { now } from "../support/monotonic.ts"
import * as Proof from "../support/proof.ts"
import { scale } from "../support/scale.ts"

const isSmall = scale() === "small"
const responses = isSmall ? 100 : 1_000
const patience = Duration.seconds(isSmall ? 3 : 10)
const size = 2 * 1024 * 1024

const refusal = Behavior.huge(size, { status: 503, headers: { "content-length": String(size) } })
const answer = Behavior.json({ ok: true })

type Provider = FaultyProvider.FaultyProvider["Service"]

/** Refuses three times, answers the fourth; tells whether the call came to that within the patience, and how. */
const refused = <E>(name: string, provider: Provider, call: Effect.Effect<string, E>) =>
  Effect.gen(function*() {
    const before = yield* provider.counts
    yield* provider.enqueue(refusal, refusal, refusal, answer)
    const since = now()
    const body = Option.getOrUndefined(yield* Effect.timeoutOption(call, patience))
    const after = yield* provider.counts
    const outcome = {
      completed: body === "{\"ok\":true}",
      millis: Math.round(now() - since),
      attempts: after.received - before.received,
      connections: after.accepted - before.accepted
    }
    yield* Console.log(`${name}: ${JSON.stringify(outcome)}`)
    return outcome
  })

const ours = (url: string) =>
  Governed.whole(
    { method: "GET", url, headers: {} },
    Retry.jittered({ attempts: 4, base: "10 millis" })
  ).pipe(Effect.provide(NodeTransport.layer({ connections: 1 })))

const effects = (url: string) =>
  Effect.gen(function*() {
    const client = HttpClient.retryTransient(yield* HttpClient.HttpClient, { times: 3 })
    const response = yield* client.get(url)
    return yield* response.text
  }).pipe(Effect.provide(NodeHttpClient.layerUndiciOptions({ connections: 1 })))

const sorts = {
  "short": Behavior.bytes("x".repeat(1_000), { headers: { "content-length": "1000" } }),
  "short, of no known length": Behavior.bytes("x".repeat(1_000)),
  "2 MB": Behavior.huge(size, { headers: { "content-length": String(size) } }),
  "stalled": Behavior.stallAfterHead,
  "endless": Behavior.sse(["well"], { every: "1 millis", endless: true })
}

/** Takes so many responses, one after another on the only connection, and reads none. */
const unread = Effect.fnUntraced(function*(provider: Provider) {
  const names = Object.keys(sorts)
  const kept: Array<Transport.Response> = []
  const given = { before: yield* provider.counts, heldAfter: 0, tooMany: 0, slowest: 0 }
  const { execute } = yield* Transport.Transport
  for (let i = 0; i < responses; i++) {
    const since = now()
    const headers = FaultyProvider.header(names[i % names.length] ?? "")
    kept.push(yield* Effect.scoped(execute({ method: "GET", url: provider.url, headers })))
    // In the same step as the scope's end.
    const { connection = 0, exchange = 0 } = yield* SessionRegistry.counts
    given.heldAfter += exchange
    if (connection > 1) given.tooMany++
    given.slowest = Math.max(given.slowest, now() - since)
  }
  const since = now()
  let seen = { ends: yield* Ends.look(provider), counts: yield* provider.counts }
  let held = yield* SessionRegistry.counts
  const isBack = () => seen.counts.inFlight === 0 && Ends.areWhole(seen.ends, held["connection"] ?? 0)
  while (!isBack() && now() - since < 1000) {
    yield* Effect.sleep("5 millis")
    seen = { ends: yield* Ends.look(provider), counts: yield* provider.counts }
    held = yield* SessionRegistry.counts
  }
  const { before, heldAfter, slowest, tooMany } = given
  return {
    responses: kept.filter(({ status }) => status === 200).length,
    heldAfter,
    tooMany,
    backAtBothEnds: isBack(),
    aborted: seen.counts.aborted - before.aborted,
    answered: seen.counts.answered - before.answered,
    connections: seen.counts.accepted - before.accepted,
    slowestMillis: Math.round(slowest)
  }
})

const program = Effect.gen(function*() {
  const provider = yield* FaultyProvider.makeProcess({ behaviors: sorts })
  const clawback = yield* refused("Clawback", provider, ours(provider.url))
  const other = yield* FaultyProvider.makeProcess()
  const effect = yield* refused("Effect's retryTransient on undici", other, effects(other.url))
  const given = yield* Effect.provide(unread(provider), NodeTransport.layer({ connections: 1, maxWaiting: 0 }))
  yield* Console.log(`${responses} bodies unread: ${JSON.stringify(given)}`)
  const left = { registry: yield* SessionRegistry.counts, ...yield* Ends.look(provider) }
  yield* Console.log(`after the layer closed: ${JSON.stringify(left)}`)
  const met = clawback.completed && clawback.attempts === 4 && given.responses === responses &&
    given.heldAfter === 0 && given.tooMany === 0 && given.backAtBothEnds &&
    Object.keys(left.registry).length === 0 && left.here.length === 0
  return { met, clawback, effect, unread: given }
})

Proof.run("bodies", isSmall ? 55 : 600, program)
