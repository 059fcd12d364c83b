/**
 * Calls a server with two secrets, a key and a query, and closes their layers while the transport stays open. Then it searches
 * its own heap for the secrets, and prints those that it finds, with the objects that hold them.
 *
 * The program keeps the secrets in a form that the search does not find.
 */
import { Credential, Retry, Transport, TransportError } from "@clawback/core"
import * as HttpClientView from "@clawback/core/HttpClientView"
import { NodeTransport } from "@clawback/node"
import { Anthropic, EmbeddingTarget, OpenAi, Target } from "@clawback/providers"
import { Cause, Effect, Layer, Redacted, Stream, Tracer } from "effect"
import { LanguageModel } from "effect/ai"
import { HttpClient } from "effect/http"
import { randomBytes } from "node:crypto"
import { argv, exit, stdout } from "node:process"
import { text } from "node:stream/consumers"
import { setTimeout } from "node:timers/promises"
import { getHeapSnapshot, setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import * as Heap from "./heap.ts"

const [, , server = ""] = argv

const secrets = {
  key: randomBytes(16),
  query: randomBytes(16)
}
const said = (secret: Buffer) => `sk-${secret.toString("hex")}`

const request: Target.Request = { messages: [{ role: "user", content: "Why do sockets leak?" }] }

/** What a program may keep of its calls: how they ended, and their spans. */
const kept: Array<unknown> = []
const keep = <A, E, R>(call: Effect.Effect<A, E, R>) =>
  Effect.catchCause(Effect.asVoid(call), (cause) =>
    Effect.sync(() => {
      // As a log does. Until the stack of an error has been read, V8 keeps the objects that its functions were called on.
      cause.reasons.forEach((reason) => stacks(Cause.isFailReason(reason) ? reason.error : reason))
      kept.push(Cause.pretty(cause), cause)
    }))

/** Reads the stack of an error and of those that caused it. */
const stacks = (error: unknown): void => {
  if (!(error instanceof Error)) return
  kept.push(error.stack)
  stacks(error.cause)
}

const tracer = Tracer.make({
  span: (options) => {
    const span = new Tracer.NativeSpan(options)
    kept.push(span)
    return span
  }
})

const calls = Effect.gen(function*() {
  const transport = yield* Transport.Transport
  for (const path of ["refused", "garbage", "cut", "reset", "ok"]) {
    const baseUrl = `${server}/${path}?key=${said(secrets.query)}`
    const options = {
      baseUrl,
      credential: Credential.redacted("key", Redacted.make(said(secrets.key))),
      retry: Retry.jittered({ base: 1, budget: Retry.unlimited })
    }
    for (const target of [OpenAi.target("gpt-5", options), Anthropic.target("claude-sonnet-5-5", options)]) {
      const layer = Layer.fresh(Target.layer(target))
      yield* keep(Effect.provide(Target.generate(request), layer))
      yield* keep(Effect.provide(Stream.runDrain(Target.stream(request)), layer))
    }
    const embeddings = Layer.fresh(EmbeddingTarget.layer(OpenAi.embeddingTarget("text-embedding-3-small", options)))
    yield* keep(Effect.provide(EmbeddingTarget.embed({ input: ["a"] }), embeddings))
    const headers = { authorization: `Bearer ${said(secrets.key)}` }
    yield* keep(
      Effect.scoped(Effect.flatMap(transport.execute({ method: "GET", url: baseUrl, headers }), Transport.text))
    )
    yield* keep(Effect.provide(
      Target.generate(request),
      Layer.fresh(Target.layer(OpenAi.target("gpt-5", { ...options, baseUrl: baseUrl.replace("//", "//me:you@") })))
    ))
    // Effect's errors hold the request, and its spans the URL: those are not kept.
    const client = yield* HttpClient.HttpClient
    yield* Effect.flatMap(client.get(baseUrl, { headers }), (response) => response.text).pipe(
      Effect.exit,
      Effect.withTracerEnabled(false)
    )
  }
})

/** Nothing is sent, to a host whose name is so long that V8 does not copy it. */
const offline = Layer.succeed(
  Transport.Transport,
  Transport.Transport.of({
    execute: () =>
      Effect.fail(new TransportError.QueueFull({ origin: "http://provider.test", connections: 1, waiting: 1 }))
  })
)

const elsewhere = Effect.gen(function*() {
  const options = {
    baseUrl: `http://a-rather-long-name.provider.test/v1?key=${said(secrets.query)}`,
    credential: Credential.redacted("key", Redacted.make(said(secrets.key)))
  }
  const layer = Target.layer(OpenAi.target("gpt-5", options))
  yield* keep(Effect.provide(LanguageModel.generateText({ prompt: "Why do sockets leak?" }), Layer.fresh(layer)))
  const embeddings = EmbeddingTarget.layer(OpenAi.embeddingTarget("text-embedding-3-small", options))
  // Not by Effect's `EmbeddingModel`: Effect 4.1.0 keeps the fibers that began the first 128 batches (`batchPool`).
  yield* keep(Effect.provide(EmbeddingTarget.embed({ input: ["a"] }), Layer.fresh(embeddings)))
}).pipe(Effect.provide(offline))

/** What keeps each secret that is found, from the secret outwards. */
const look = Effect.promise(async () => {
  setFlagsFromString("--expose-gc")
  const gc: () => void = runInNewContext("gc")
  gc()
  // Whatever is released in a turn of its own.
  await setTimeout(50)
  gc()
  const snapshot = Heap.parse(await text(getHeapSnapshot()))
  return Object.entries(secrets).flatMap(([name, secret]) =>
    Heap.holders(snapshot, said(secret)).map((path) => `${name}: ${path}`)
  )
})

const found = await calls.pipe(
  Effect.andThen(elsewhere),
  Effect.withTracer(tracer),
  Effect.andThen(look),
  Effect.provide(HttpClientView.layerHttpClient.pipe(Layer.provideMerge(NodeTransport.layer({ connections: 2 })))),
  Effect.runPromise
)
// The spans and errors were there all the while.
stdout.write(`${JSON.stringify(kept.length > 0 ? found : "nothing was kept")}\n`)
exit(0)
