/**
 * What a `FaultyProvider` does with one request, as a plain value: a script of steps.
 *
 * A behavior is JSON: it crosses processes, fits into a request's header, and can be kept in a table. The constructors
 * (`json`, `sse`, `status`, `stall`, ...) make the usual ones. The modifiers (`delayed`, `inPieces`, `splitAt`, `cutAt`,
 * `readingSlowly`, ...) make them worse. Without other steps, the server reads the whole request, sends a head with status 200,
 * and ends the response after the last step.
 *
 * **Gotchas.** Offsets count bytes of the body, before any chunked coding. Each piece is written by itself, but TCP keeps no
 * boundaries: a reader that is slower than the writer reads several as one. Add a pause where it must not.
 *
 * An invalid or infinite duration, size or offset is a `RangeError` that names it.
 *
 * @stable
 */

import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Duration from "effect/Duration"
import { dual } from "effect/Function"
import type { Behavior, Ending, RetryAfter, Source, Step } from "./internal/faulty/script.ts"

export type { Behavior, Ending, Reading, RetryAfter, Source, Step } from "./internal/faulty/script.ts"

const millis = (name: string, duration: Duration.Input) => Duration.toMillis(OptionCheck.finite(name, duration))

const source = (bytes: string | Uint8Array): Source =>
  typeof bytes === "string" ? { text: bytes } : { base64: Buffer.from(bytes).toString("base64") }

export interface AnswerOptions {
  /** Default: 200. */
  readonly status?: number | undefined
  /** Added to the headers of the constructor; replaces those of the same name. */
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>> | undefined
}

const head = (type: string, { headers, status = 200 }: AnswerOptions): Step => ({
  _tag: "Head",
  status,
  headers: { "content-type": type, ...headers }
})

const body = (bytes: string | Uint8Array): Step => ({ _tag: "Body", source: source(bytes) })

/** A script of your own. */
export const script = (name: string, steps: ReadonlyArray<Step>): Behavior => ({ name, steps })

/** Responds with a value as JSON. */
export const json = (value: unknown, options: AnswerOptions = {}): Behavior => {
  const text = JSON.stringify(value)
  const length = { "content-length": String(Buffer.byteLength(text)) }
  return script("json", [
    head("application/json", { ...options, headers: { ...length, ...options.headers } }),
    body(text)
  ])
}

/** Responds with bytes or text, in chunked coding. */
export const bytes = (content: string | Uint8Array, options: AnswerOptions = {}): Behavior =>
  script("bytes", [head("application/octet-stream", options), body(content)])

/** JSON without its second half, in an otherwise complete response. */
export const malformedJson = (value: unknown = { choices: [{ message: { content: "hello" } }] }): Behavior => {
  const text = JSON.stringify(value)
  return {
    ...bytes(text.slice(0, text.length >> 1), { headers: { "content-type": "application/json" } }),
    name: "malformedJson"
  }
}

/** A body of this many bytes. Neither end needs to hold it in memory. */
export const huge = (size: number, options: AnswerOptions = {}): Behavior =>
  script("huge", [head("application/octet-stream", options), {
    _tag: "Body",
    source: { fill: OptionCheck.count("size", size, 0) }
  }])

/** An empty response with a header of this many bytes. */
export const hugeHeader = (size: number): Behavior =>
  script("hugeHeader", [{ _tag: "Head", status: 200, headers: {}, padding: OptionCheck.count("size", size, 0) }])

/** A server-sent event. A string is its data. */
export type SseEvent = string | {
  readonly event?: string | undefined
  /** Not a string: as JSON. */
  readonly data?: unknown
  readonly id?: string | undefined
  readonly retry?: number | undefined
  /** A line that clients must ignore. */
  readonly comment?: string | undefined
}

/** An event as it is sent. */
export const encodeEvent = (event: SseEvent): string => {
  const { comment, data, event: type, id, retry } = typeof event === "string" ? { data: event } : event
  const text = data === undefined || typeof data === "string" ? data : JSON.stringify(data)
  const lines = [
    ...(comment === undefined ? [] : [`: ${comment}`]),
    ...(type === undefined ? [] : [`event: ${type}`]),
    ...(id === undefined ? [] : [`id: ${id}`]),
    ...(retry === undefined ? [] : [`retry: ${retry}`]),
    ...(text === undefined ? [] : text.split("\n").map((line) => `data: ${line}`))
  ]
  return `${lines.join("\n")}\n\n`
}

export interface SseOptions extends AnswerOptions {
  /** The pause before each event except the first. Default: none. */
  readonly every?: Duration.Input | undefined
  /** Repeats the events for ever. Default: false. */
  readonly endless?: boolean | undefined
}

/** Responds with a stream of server-sent events. */
export const sse = (events: ReadonlyArray<SseEvent>, options: SseOptions = {}): Behavior => {
  const pause: ReadonlyArray<Step> = options.every === undefined
    ? []
    : [{ _tag: "Wait", millis: millis("every", options.every) }]
  const opening = head("text/event-stream", options)
  const [first, ...others] = events.map((event): Step => body(encodeEvent(event)))
  const paused = others.flatMap((event) => pause.concat(event))
  const steps = first === undefined ? [] : [first, ...paused]
  if (options.endless !== true) return script("sse", [opening, ...steps])
  const again = [...steps, ...pause].filter(isRepeatable)
  return script("sse", [opening, { _tag: "Repeat", steps: again }])
}

const isRepeatable = (step: Step): step is Extract<Step, { _tag: "Wait" | "Body" | "Raw" }> =>
  step._tag === "Wait" || step._tag === "Body" || step._tag === "Raw"

/** A stream with a line that is neither a field nor a comment, and an event that is not JSON. */
export const malformedSse: Behavior = {
  ...bytes("data {\"no\":\"colon\"}\n\ndata: {\"cut\":\n\n\u0000\n\n", {
    headers: { "content-type": "text/event-stream" }
  }),
  name: "malformedSse"
}

/** Responds with a status, and a body if given: a string unchanged, any other value as JSON. */
export const status = (
  code: number,
  options: Omit<AnswerOptions, "status"> & { readonly body?: unknown } = {}
): Behavior => {
  const answer = options.body === undefined || typeof options.body === "string"
    ? bytes(options.body ?? "", { status: code, headers: { "content-type": "text/plain", ...options.headers } })
    : json(options.body, { status: code, headers: options.headers })
  return { ...answer, name: `status ${code}` }
}

/** Reads the request and sends nothing. The server notices a client that leaves. */
export const stall: Behavior = script("stall", [{ _tag: "Finish", ending: "stall" }])

/** Sends a head, and then nothing. */
export const stallAfterHead: Behavior = script("stallAfterHead", [
  head("text/event-stream", {}),
  { _tag: "Finish", ending: "stall" }
])

/** Resets the connection once the request has arrived. */
export const reset: Behavior = script("reset", [{ _tag: "Finish", ending: "reset" }])

/** Closes the connection in an orderly way once the request has arrived, without a response. */
export const close: Behavior = script("close", [{ _tag: "Finish", ending: "close" }])

/** Sends nothing, and ignores everything from the client, also its FIN: a half-open peer. */
export const swallow: Behavior = script("swallow", [{ _tag: "Finish", ending: "swallow" }])

/** Sends bytes in place of a response, and closes the connection. For bytes that are not HTTP. */
export const raw = (content: string | Uint8Array): Behavior =>
  script("raw", [{ _tag: "Raw", source: source(content) }, { _tag: "Finish", ending: "close" }])

/** Sends an interim response (100 Continue, 103 Early Hints) before the response. */
export const informing: {
  (status: number, headers?: Readonly<Record<string, string>>): (self: Behavior) => Behavior
  (self: Behavior, status: number, headers?: Readonly<Record<string, string>>): Behavior
} = dual(
  (args) => typeof args[0] === "object",
  (self: Behavior, status: number, headers: Readonly<Record<string, string>> = {}): Behavior => ({
    ...self,
    steps: [{ _tag: "Inform", status, headers }, ...self.steps]
  })
)

/** Waits before the response begins: a slow first byte. */
export const delayed: {
  (duration: Duration.Input): (self: Behavior) => Behavior
  (self: Behavior, duration: Duration.Input): Behavior
} = dual(2, (self: Behavior, duration: Duration.Input): Behavior => ({
  ...self,
  steps: [{ _tag: "Wait", millis: millis("duration", duration) }, ...self.steps]
}))

/** Waits between head and body. */
export const delayedAfterHead: {
  (duration: Duration.Input): (self: Behavior) => Behavior
  (self: Behavior, duration: Duration.Input): Behavior
} = dual(2, (self: Behavior, duration: Duration.Input): Behavior => ({
  ...self,
  steps: self.steps.flatMap((step): ReadonlyArray<Step> =>
    step._tag === "Head" ? [step, { _tag: "Wait", millis: millis("duration", duration) }] : [step]
  )
}))

/** Adds `Retry-After`, in one of its three forms. */
export const retryAfter: {
  (form: RetryAfter["form"], duration: Duration.Input): (self: Behavior) => Behavior
  (self: Behavior, form: RetryAfter["form"], duration: Duration.Input): Behavior
} = dual(3, (self: Behavior, form: RetryAfter["form"], duration: Duration.Input): Behavior => ({
  ...self,
  steps: self.steps.map((step) =>
    step._tag === "Head" ? { ...step, retryAfter: { form, millis: millis("duration", duration) } } : step
  )
}))

/** Writes the body in pieces of this many bytes, with a pause after each if given. Pieces of one byte test the most. */
export const inPieces: {
  (size: number, pause?: Duration.Input): (self: Behavior) => Behavior
  (self: Behavior, size: number, pause?: Duration.Input): Behavior
} = dual(
  (args) => typeof args[0] === "object",
  (self: Behavior, size: number, pause?: Duration.Input): Behavior => ({
    ...self,
    split: {
      ...self.split,
      size: OptionCheck.count("size", size, 1),
      pauseMillis: pause === undefined ? self.split?.pauseMillis : millis("pause", pause)
    }
  })
)

/** Splits the body at these offsets, with a pause at each if given. */
export const splitAt: {
  (offsets: ReadonlyArray<number>, pause?: Duration.Input): (self: Behavior) => Behavior
  (self: Behavior, offsets: ReadonlyArray<number>, pause?: Duration.Input): Behavior
} = dual(
  (args) => !Array.isArray(args[0]),
  (self: Behavior, offsets: ReadonlyArray<number>, pause?: Duration.Input): Behavior => ({
    ...self,
    split: {
      ...self.split,
      at: [...self.split?.at ?? [], ...offsets.map((offset) => OptionCheck.count("offsets", offset, 0))]
        .toSorted((a, b) => a - b),
      pauseMillis: pause === undefined ? self.split?.pauseMillis : millis("pause", pause)
    }
  })
)

/** Ends the response after this many bytes of its body. With `end`, the response looks complete to HTTP. */
export const cutAt: {
  (offset: number, ending: Ending): (self: Behavior) => Behavior
  (self: Behavior, offset: number, ending: Ending): Behavior
} = dual(3, (self: Behavior, at: number, ending: Ending): Behavior => ({
  ...self,
  cut: { at: OptionCheck.count("offset", at, 0), ending }
}))

/** Ends the response in another way once its body is sent. */
export const ending: {
  (ending: Ending): (self: Behavior) => Behavior
  (self: Behavior, ending: Ending): Behavior
} = dual(2, (self: Behavior, ending: Ending): Behavior => ({
  ...self,
  steps: [...self.steps, { _tag: "Finish", ending }]
}))

/** Closes a kept connection some time after the response: what the client sends on it next is lost. */
export const thenClose: {
  (after: Duration.Input): (self: Behavior) => Behavior
  (self: Behavior, after: Duration.Input): Behavior
} = dual(2, (self: Behavior, after: Duration.Input): Behavior => ({
  ...self,
  steps: [...self.steps, { _tag: "Finish", ending: "end" }, { _tag: "Wait", millis: millis("after", after) }, {
    _tag: "Finish",
    ending: "close"
  }]
}))

/** Reads the request's body in pieces of this many bytes, and responds once it has all of it. */
export const readingSlowly: {
  (bytes: number, every: Duration.Input): (self: Behavior) => Behavior
  (self: Behavior, bytes: number, every: Duration.Input): Behavior
} = dual(3, (self: Behavior, bytes: number, every: Duration.Input): Behavior => ({
  ...self,
  reading: { bytes: OptionCheck.count("bytes", bytes, 1), everyMillis: millis("every", every) }
}))

/** Does not read the request's body. So the server does not notice a client that leaves. */
export const notReading = (self: Behavior): Behavior => ({ ...self, reading: "nothing" })

/** Gives a behavior a name for the report. */
export const named: {
  (name: string): (self: Behavior) => Behavior
  (self: Behavior, name: string): Behavior
} = dual(2, (self: Behavior, name: string): Behavior => ({ ...self, name }))
