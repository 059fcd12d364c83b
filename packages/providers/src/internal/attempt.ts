import * as Credential from "@clawback/core/Credential"
import * as Deadline from "@clawback/core/Deadline"
import * as Retry from "@clawback/core/Retry"
import * as Session from "@clawback/core/Session"
import * as Timeouts from "@clawback/core/Timeouts"
import * as Transport from "@clawback/core/Transport"
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Fiber from "effect/Fiber"
import { identity } from "effect/Function"
import type * as Pull from "effect/Pull"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as ChatEvent from "../ChatEvent.ts"
import type * as ChatRequest from "../ChatRequest.ts"
import type * as ChatResponse from "../ChatResponse.ts"
import type * as Codec from "../Codec.ts"
import { type CallError, InvalidResponse } from "../ProviderError.ts"
import type { Call } from "./call.ts"
import { invalidResponse } from "./invalidResponse.ts"
import * as Observation from "./observation.ts"

/** Where and how one provider is called. */
export interface Endpoint {
  readonly provider: string
  readonly codec: Codec.Codec
  readonly url: URL
  readonly source: Credential.Source
  /** What the credential is called, for errors. */
  readonly credential: string
  readonly transport: Transport.Transport["Service"]
  readonly timeouts: Timeouts.Timeouts
  /** When to try again; undefined for never. */
  readonly retry: Retry.Policy<CallError> | undefined
}

/** What an error's body is good for is in its beginning, and it must not hold up the error itself. */
const errorBodyLimit = 256 * 1024
const errorBodyTimeout = Duration.seconds(5)
/**
 * How long the usage may take to arrive after a stream's finish. Providers send it at once; without it the answer is
 * whole all the same, and somebody waits for that.
 */
const usageTimeout = Duration.seconds(1)
/** How long before a deadline we stop waiting for what is not needed, so that what we have is not lost to the deadline. */
const beforeDeadline = 20
/** How long the end of a body may take to arrive after the end of the answer, before its connection is given up. */
const endTimeout = Duration.millis(250)

const callInfo = ({ provider }: Endpoint, { model }: ChatRequest.ChatRequest): Session.Info => ({
  kind: "call",
  name: `${provider}/${model}`
})

/** This long, or as long as the deadline leaves. */
const leavingTime = (limit: Duration.Duration): Effect.Effect<Duration.Duration> =>
  Effect.map(
    Deadline.remaining,
    (left) => Duration.min(limit, Duration.millis(Math.max(0, Duration.toMillis(left) - beforeDeadline)))
  )

/** As much of an error's body as comes: the status alone says what happened, and the body only says it better. */
const errorBody = (response: Transport.Response): Effect.Effect<string> =>
  Effect.suspend(() => {
    const decoder = new TextDecoder()
    let text = ""
    const read: Effect.Effect<void, Transport.BodyError | Cause.Done> = Effect.flatMap(response.body, (chunks) => {
      for (const chunk of chunks) text += decoder.decode(chunk, { stream: true })
      return text.length < errorBodyLimit ? read : Effect.void
    })
    const limited = Effect.flatMap(leavingTime(errorBodyTimeout), (limit) => Effect.timeoutOption(read, limit))
    return Effect.map(Effect.ignore(limited), () => text)
  })

/** Takes a secret out of a text, in which it may also stand as JSON quotes it. */
const redact = (secret: string, text: string): string => {
  const quoted = JSON.stringify(secret).slice(1, -1)
  return [secret, quoted, quoted.replaceAll("/", "\\/")].reduce(
    (text, form) => text.replaceAll(form, "<redacted>"),
    text
  )
}

/** The secret, unless it was wiped: a model can be called after its layer was closed. */
const leaseSecret = ({ credential, source }: Endpoint) =>
  Effect.flatMap(source.lease, (secret) =>
    Effect.try({
      try: () => Redacted.value(secret),
      catch: (cause) => new Credential.CredentialUnavailable({ name: credential, cause })
    }))

/** How a body is compressed, though nobody asked for that. */
const encodingOf = ({ headers }: Transport.Response): string | undefined => {
  const encoding = String(headers["content-encoding"] ?? "").trim()
  return encoding === "" || encoding.toLowerCase() === "identity" ? undefined : encoding
}

/** Why there is nothing to decode in a success, if so. */
const unreadable = (response: Transport.Response): string | undefined => {
  const { status } = response
  if (status === 204 || status === 205) return `status ${status}, which has no body`
  const encoding = encodingOf(response)
  return encoding && `a body in the content-encoding ${encoding.slice(0, 100)}, which was not asked for`
}

/** Sends one request with its secret; what comes back is a success. */
const send = Effect.fnUntraced(function*(
  endpoint: Endpoint,
  request: ChatRequest.ChatRequest,
  stream: boolean,
  call: Call
): Effect.fn.Return<
  { readonly response: Transport.Response; readonly peer: Codec.Peer },
  CallError,
  Scope.Scope
> {
  const { codec } = endpoint
  const body = yield* Effect.fromResult(codec.encodeRequest(request, { stream, includeUsage: stream }))
  const secret = yield* leaseSecret(endpoint)
  const key = yield* Retry.CurrentKey
  const peer = {
    provider: endpoint.provider,
    redact: (text: string) => redact(secret, text)
  }
  call.sending(peer.redact)
  const { firstToken, ...timeouts } = endpoint.timeouts
  const response = yield* endpoint.transport.execute({
    method: "POST",
    url: endpoint.url.href,
    headers: {
      ...codec.headers(secret),
      "content-type": "application/json",
      ...(key !== undefined && { "idempotency-key": key.value }),
      accept: stream ? "text/event-stream" : "application/json"
    },
    body: JSON.stringify(body),
    timeouts: stream ? { ...timeouts, firstToken: firstToken ?? Timeouts.defaults.firstToken } : timeouts
  })
  const { status, headers } = response
  if (status >= 200 && status < 300) {
    const detail = unreadable(response)
    if (detail === undefined) return { response, peer }
    return yield* new InvalidResponse({ provider: peer.provider, detail: peer.redact(detail), excerpt: "" })
  }
  const error = encodingOf(response) === undefined ? yield* errorBody(response) : ""
  return yield* codec.classify(peer, { status, headers, body: error })
})

const isEventStream = ({ headers }: Transport.Response): boolean => {
  const type = headers["content-type"]
  return typeof type !== "string" || type.toLowerCase().startsWith("text/event-stream")
}

/** What a success means whose body is no stream, where one was asked for: an error, if it says so. */
const notAStream = (codec: Codec.Codec, peer: Codec.Peer, received: Codec.Received) => {
  const decoded = codec.decodeResponse(peer, received)
  return Result.isFailure(decoded) && decoded.failure._tag !== "InvalidResponse"
    ? decoded.failure
    : invalidResponse(peer, "a body that is no event stream", received.body)
}

type Events = Pull.Pull<readonly [ChatEvent.ChatEvent, ...Array<ChatEvent.ChatEvent>], CallError>

/** A stream's answer, as far as it has come. */
class Answer {
  /** Nothing more came after the answer though it should have, so nothing more will. */
  private isGivenUp = false
  private readonly decoder: Codec.Decoder
  private readonly response: Transport.Response

  constructor(response: Transport.Response, decoder: Codec.Decoder) {
    this.response = response
    this.decoder = decoder
  }

  get isWhole(): boolean {
    return this.decoder.isFinished && this.decoder.failure === undefined
  }

  /** The events of the body. They end when the answer does. */
  readonly pull: Events = Effect.suspend(() => {
    if (this.decoder.failure !== undefined) return Effect.fail(this.decoder.failure)
    if (this.decoder.isDone) return Cause.done()
    return Effect.flatMap(
      this.decoder.isFinished ? this.rest : this.more,
      ([first, ...rest]) => first === undefined ? this.pull : Effect.succeed([first, ...rest])
    )
  })

  /** Reads what follows the answer, which is nothing but the body's end, so that the connection can be used again. */
  readonly end: Effect.Effect<void> = Effect.suspend(() =>
    !this.decoder.isDone || this.isGivenUp ? Effect.void : Effect.ignore(
      Effect.timeoutOption(Effect.forever(this.response.body, { disableYield: true }), endTimeout)
    )
  )

  private readonly more = Effect.suspend(() =>
    Effect.matchEffect(this.response.body, {
      onSuccess: (chunks) => Effect.sync(() => chunks.flatMap((chunk) => this.decoder.push(chunk))),
      onFailure: (end) => Cause.isDone(end) ? Effect.sync(() => this.decoder.end()) : Effect.fail(end)
    })
  )

  /** All that follows the finish. The answer is whole, so neither silence nor a lost connection can spoil it any more. */
  private readonly rest = Effect.suspend(() => {
    const events: Array<ChatEvent.ChatEvent> = []
    const read: Effect.Effect<void, Transport.BodyError> = Effect.flatMap(this.more, (some) => {
      events.push(...some)
      return this.decoder.isDone || this.decoder.failure !== undefined ? Effect.void : read
    })
    const giveUp = Effect.sync(() => void events.push(...this.giveUp()))
    return Effect.flatMap(
      leavingTime(usageTimeout),
      (duration) =>
        Effect.map(
          Effect.timeoutOrElse(Effect.catchTag(read, "ConnectionLost", () => giveUp), {
            duration,
            orElse: () => giveUp
          }),
          () => events
        )
    )
  })

  /** The events that are left where nothing more is read. */
  giveUp(): ReadonlyArray<ChatEvent.ChatEvent> {
    this.isGivenUp = true
    return this.decoder.end()
  }
}

/** A limit that passes once the answer is whole is its end, since it has its finish already. */
const endWhole =
  (answer: () => Answer | undefined) =>
  (self: Stream.Stream<ChatEvent.ChatEvent, CallError>): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
    Stream.transformPull(self, (pull) =>
      Effect.succeed(Effect.catch(pull, (error): Events => {
        const whole = answer()
        const isLimit = !Cause.isDone(error) && (error._tag === "IdleTimeout" || error._tag === "DeadlineExceeded")
        if (!isLimit || whole?.isWhole !== true) return Effect.fail(error)
        const [first, ...rest] = whole.giveUp()
        return first === undefined ? Cause.done() : Effect.succeed([first, ...rest])
      })))

/** How a call is begun to be told of. */
export type Begin = (fiber: Fiber.Fiber<unknown, unknown>, request: ChatRequest.ChatRequest, stream: boolean) => Call

/** A streamed answer, at which it is tried as often as the endpoint's policy says. Giving the stream up gives up the provider's work. */
export const stream = (
  endpoint: Endpoint,
  request: ChatRequest.ChatRequest,
  begin: Begin
): Stream.Stream<ChatEvent.ChatEvent, CallError> =>
  Observation.stream((fiber) => begin(fiber, request, true), (call) => {
    let answer: Answer | undefined
    return Stream.unwrap(Effect.gen(function*() {
      const { response, peer } = yield* send(endpoint, request, true, call)
      if (!isEventStream(response)) {
        const { headers, status } = response
        return yield* notAStream(endpoint.codec, peer, { status, headers, body: yield* errorBody(response) })
      }
      call.streaming()
      const { end, pull } = answer = new Answer(response, endpoint.codec.makeDecoder(peer, request.choices))
      // As a finalizer, so that a whole answer is not lost to a limit that passes only now.
      yield* Effect.addFinalizer(() => end)
      return Stream.fromPull(Effect.succeed(pull)).pipe(
        Timeouts.stream({ timeouts: endpoint.timeouts, startedAt: response.sentAt, isOutput: ChatEvent.isOutput })
      )
    })).pipe(
      Observation.streamAttempt(call),
      endpoint.retry === undefined ? identity : Retry.stream(endpoint.retry),
      Deadline.withinStream(endpoint.timeouts.total ?? Timeouts.defaults.total),
      endWhole(() => answer),
      Session.stream(callInfo(endpoint, request))
    )
  })

/** An answer in one piece, at which it is tried as often as the endpoint's policy says. */
export const generate = (
  endpoint: Endpoint,
  request: ChatRequest.ChatRequest,
  begin: Begin
): Effect.Effect<ChatResponse.ChatResponse, CallError> =>
  Observation.effect((fiber) => begin(fiber, request, false), (call) =>
    Effect.gen(function*() {
      const { response, peer } = yield* send(endpoint, request, false, call)
      const { headers, status } = response
      const received = { status, headers, body: yield* Transport.text(response) }
      const answer = yield* Effect.fromResult(endpoint.codec.decodeResponse(peer, received))
      call.answered(answer)
      return answer
    }).pipe(
      Observation.attempt(call),
      endpoint.retry === undefined ? identity : Retry.effect(endpoint.retry),
      Session.scoped(callInfo(endpoint, request)),
      Deadline.within(endpoint.timeouts.total ?? Timeouts.defaults.total)
    ))
