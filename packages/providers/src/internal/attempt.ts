import type * as Credential from "@clawback/core/Credential"
import * as Deadline from "@clawback/core/Deadline"
import * as Session from "@clawback/core/Session"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ChatEvent from "../ChatEvent.ts"
import type * as ChatRequest from "../ChatRequest.ts"
import * as OpenAiChat from "../OpenAiChat.ts"
import type { CallError } from "../ProviderError.ts"

/** Where and how one provider is called. */
export interface Endpoint {
  readonly provider: string
  readonly url: string
  readonly source: Credential.Source
  readonly transport: Transport.Transport["Service"]
  readonly timeouts: Timeouts.Timeouts
}

/** What an error's body is good for is in its beginning, and it must not hold up the error itself. */
const errorBodyLimit = 256 * 1024
const errorBodyTimeout = Duration.seconds(5)
/** How long the end of a body may take to arrive after the end of the answer, before its connection is given up. */
const endTimeout = Duration.millis(250)

const callInfo = ({ provider }: Endpoint, { model }: ChatRequest.ChatRequest): Session.Info => ({
  kind: "call",
  name: `${provider}/${model}`
})

/** As much of an error's body as comes: the status alone says what happened, and the body only says it better. */
const errorBody = (response: Transport.Response): Effect.Effect<string> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let text = ""
    const read: Effect.Effect<void, Transport.BodyError | Cause.Done> = Effect.flatMap(response.body, (chunks) => {
      for (const chunk of chunks) text += decoder.decode(chunk, { stream: true })
      return text.length < errorBodyLimit ? read : Effect.void
    })
    return Effect.map(Effect.ignore(Effect.timeoutOption(read, errorBodyTimeout)), () => text)
  })

/** Takes a secret out of a text, in which it may also stand as JSON quotes it. */
const redact = (secret: string, text: string): string => {
  const quoted = JSON.stringify(secret).slice(1, -1)
  return [secret, quoted, quoted.replaceAll("/", "\\/")].reduce(
    (text, form) => text.replaceAll(form, "<redacted>"),
    text
  )
}

/** Sends one request with its secret; what comes back is a success. */
const send = Effect.fnUntraced(function*(
  endpoint: Endpoint,
  request: ChatRequest.ChatRequest,
  options: { readonly stream: boolean }
): Effect.fn.Return<
  { readonly response: Transport.Response; readonly peer: OpenAiChat.Peer },
  CallError,
  Scope.Scope
> {
  const secret = Redacted.value(yield* endpoint.source.lease)
  const peer = {
    provider: endpoint.provider,
    redact: (text: string) => redact(secret, text)
  }
  const { firstToken, ...timeouts } = endpoint.timeouts
  const response = yield* endpoint.transport.execute({
    method: "POST",
    url: endpoint.url,
    headers: {
      authorization: `Bearer ${secret}`,
      "content-type": "application/json",
      accept: options.stream ? "text/event-stream" : "application/json"
    },
    body: JSON.stringify(OpenAiChat.encodeRequest(request, options)),
    timeouts: options.stream ? { ...timeouts, firstToken: firstToken ?? Timeouts.defaults.firstToken } : timeouts
  })
  const { status, headers } = response
  if (status >= 200 && status < 300) return { response, peer }
  return yield* OpenAiChat.classify(peer, { status, headers, body: yield* errorBody(response) })
})

const isEventStream = ({ headers }: Transport.Response): boolean => {
  const type = headers["content-type"]
  return typeof type !== "string" || type.toLowerCase().startsWith("text/event-stream")
}

/** Reads what follows the answer, which is nothing but the body's end, so that the connection can be used again. */
const endBody = (response: Transport.Response): Effect.Effect<void> =>
  Effect.ignore(Effect.timeoutOption(Effect.forever(response.body, { disableYield: true }), endTimeout))

/** The events of a body. They end when the answer does. */
const pullEvents = (
  response: Transport.Response,
  decoder: OpenAiChat.Decoder
): Pull.Pull<readonly [ChatEvent.ChatEvent, ...Array<ChatEvent.ChatEvent>], CallError> => {
  const decode = Effect.matchEffect(response.body, {
    onSuccess: (chunks) => Effect.sync(() => chunks.flatMap((chunk) => decoder.push(chunk))),
    onFailure: (end) => Cause.isDone(end) ? Effect.sync(() => decoder.end()) : Effect.fail(end)
  })
  const pull: ReturnType<typeof pullEvents> = Effect.suspend(() => {
    if (decoder.failure !== undefined) return Effect.fail(decoder.failure)
    if (decoder.isDone) return Cause.done()
    return Effect.flatMap(decode, ([first, ...rest]) => first === undefined ? pull : Effect.succeed([first, ...rest]))
  })
  return pull
}

/** One attempt at a streamed answer. Giving the stream up gives up the provider's work. */
export const stream = (
  endpoint: Endpoint,
  request: ChatRequest.ChatRequest
): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
  Stream.unwrap(Effect.gen(function*() {
    const { response, peer } = yield* send(endpoint, request, { stream: true })
    if (!isEventStream(response)) {
      return yield* OpenAiChat.notAStream(peer, yield* errorBody(response))
    }
    const decoder = OpenAiChat.makeDecoder(peer)
    // As a finalizer, so that a whole answer is not lost to a limit that passes only now.
    yield* Effect.addFinalizer(() => decoder.isDone ? endBody(response) : Effect.void)
    return Stream.fromPull(Effect.succeed(pullEvents(response, decoder))).pipe(
      Timeouts.stream({ timeouts: endpoint.timeouts, startedAt: response.sentAt, isOutput: ChatEvent.isOutput })
    )
  })).pipe(
    Deadline.withinStream(endpoint.timeouts.total ?? Timeouts.defaults.total),
    Session.stream(callInfo(endpoint, request))
  )

/** One attempt at an answer in one piece. */
export const generate = (
  endpoint: Endpoint,
  request: ChatRequest.ChatRequest
): Effect.Effect<ReadonlyArray<ChatEvent.ChatEvent>, CallError> =>
  Effect.gen(function*() {
    const { response, peer } = yield* send(endpoint, request, { stream: false })
    return yield* Effect.fromResult(OpenAiChat.decodeResponse(peer, yield* Transport.text(response)))
  }).pipe(
    Session.scoped(callInfo(endpoint, request)),
    Deadline.within(endpoint.timeouts.total ?? Timeouts.defaults.total)
  )
