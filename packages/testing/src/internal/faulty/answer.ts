/** Performs a behavior on one request. The server interrupts it when the client has left. */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import type * as Http from "node:http"
import type * as Net from "node:net"
import { StringDecoder } from "node:string_decoder"
import type { Entry, Journal } from "./journal.ts"
import type { Behavior, Ending, Source, Step } from "./script.ts"

/** One request and all that belongs to it. */
export interface Exchange {
  readonly request: Http.IncomingMessage
  readonly response: Http.ServerResponse
  /** Its TCP socket: below TLS, if there is TLS. */
  readonly socket: Net.Socket
  readonly entry: Entry
  readonly journal: Journal
  /** The request's body as it arrives, if the behavior needs all of it. */
  readonly whole: Array<Buffer> | undefined
}

const bodyLimit = 64 * 1024
const fillSize = 64 * 1024
const filling = Buffer.alloc(fillSize, "x")

/** A source as buffers that fit in memory. */
const buffers = function*(source: Source): Generator<Buffer> {
  if ("text" in source) yield Buffer.from(source.text)
  else if ("base64" in source) yield Buffer.from(source.base64, "base64")
  else for (let left = source.fill; left > 0; left -= fillSize) yield filling.subarray(0, Math.min(left, fillSize))
}

/** The last resort. */
export const brokenOff: Behavior = { name: "broken off", steps: [{ _tag: "Finish", ending: "close" }] }

/** Waits until the kernel has taken the bytes: at the client's pace. */
const written = (write: (done: () => void) => unknown): Effect.Effect<void> =>
  Effect.callback<void>((resume) => {
    // What the kernel takes at once completes in the same turn, and the client may be in this process.
    write(() => resume(Effect.yieldNow))
  })

const outgoing = (headers: Readonly<Record<string, string | ReadonlyArray<string>>>) =>
  Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, typeof value === "string" ? value : [...value]])
  )

const retryAfter = ({ form, millis }: NonNullable<Extract<Step, { _tag: "Head" }>["retryAfter"]>, now: number) =>
  form === "millis"
    ? { "retry-after-ms": String(millis) }
    : {
      "retry-after": form === "seconds"
        ? String(millis / 1000)
        : DateTime.toDateUtc(DateTime.makeUnsafe(now + millis)).toUTCString()
    }

/** Reads the request's body as the behavior says. */
export const read = (
  { entry, journal, request, whole }: Exchange,
  reading: NonNullable<Behavior["reading"]>
): Effect.Effect<void> => {
  if (reading === "nothing") return Effect.void
  const text = new StringDecoder("utf8")
  const keep = (chunk: Buffer) => {
    whole?.push(chunk)
    if (entry.body.length >= bodyLimit) return
    entry.body += text.write(chunk).slice(0, bodyLimit - entry.body.length)
    journal.changed()
  }
  if (reading === "whole") {
    return Effect.callback<void>((resume) => {
      request.on("data", keep)
      request.on("end", () => resume(Effect.void))
      if (request.readableEnded) resume(Effect.void)
    })
  }
  const next = Effect.callback<void>((resume) => {
    const look = () => resume(Effect.void)
    request.once("readable", look)
    request.once("end", look)
    return Effect.sync(() => request.off("readable", look).off("end", look))
  })
  return Effect.gen(function*() {
    while (!request.readableEnded) {
      const chunk: Buffer | null = request.read(reading.bytes) ?? request.read()
      if (chunk === null) {
        if (!request.readableEnded) yield* next
        continue
      }
      keep(chunk)
      yield* Effect.sleep(reading.everyMillis)
    }
  })
}

/** Stops HTTP on the connection: it stays open, and everything from the client is read and ignored, also its end. */
const swallow = (socket: Net.Socket) => {
  socket.removeAllListeners("end")
  socket.removeAllListeners("data")
  socket.on("data", () => {})
  socket.resume()
}

export const perform = (exchange: Exchange, behavior: Behavior): Effect.Effect<void> => {
  const { entry, journal, response, socket } = exchange
  const { cut, split } = behavior
  let offset = 0
  let isCut = false

  const sendHead = (status: number, headers: Http.OutgoingHttpHeaders) => {
    if (response.headersSent) return
    response.writeHead(status, headers)
    response.flushHeaders()
    journal.headSent(entry)
  }

  const finish = (ending: Ending): Effect.Effect<void> => {
    switch (ending) {
      case "end":
        return Effect.suspend(() => {
          sendHead(200, {})
          return written((done) =>
            response.end(() => {
              journal.ended(entry, "answered")
              done()
            })
          )
        })
      case "stall":
        return Effect.never
      case "swallow":
        return Effect.suspend(() => {
          swallow(response.socket ?? socket)
          return Effect.never
        })
      case "truncate":
        return Effect.suspend(() => {
          const promise = response.chunkedEncoding === true ? "400\r\ncut" : "cut"
          return Effect.andThen(written((done) => response.socket?.write(promise, done) ?? done()), finish("close"))
        })
      case "close":
        return Effect.sync(() => {
          journal.ended(entry, "broken")
          ;(response.socket ?? socket).destroySoon()
        })
      case "reset":
        return Effect.sync(() => {
          journal.ended(entry, "broken")
          socket.resetAndDestroy()
        })
    }
  }

  /** The offset at which the next piece must end. */
  const bound = (limit: number) => {
    let next = limit
    const size = split?.size
    if (size !== undefined) next = Math.min(next, (Math.floor(offset / size) + 1) * size)
    for (const at of split?.at ?? []) if (at > offset) next = Math.min(next, at)
    return cut === undefined ? next : Math.min(next, cut.at)
  }

  const sendBody = (source: Source) =>
    Effect.gen(function*() {
      sendHead(200, {})
      for (const buffer of buffers(source)) {
        const limit = offset + buffer.byteLength
        const base = offset
        while (offset < limit && !isCut) {
          const end = bound(limit)
          const piece = buffer.subarray(offset - base, end - base)
          if (piece.byteLength > 0) {
            if (offset > 0 && split?.pauseMillis !== undefined) yield* Effect.sleep(split.pauseMillis)
            yield* written((done) => response.write(piece, done))
          }
          offset = end
          entry.sent = offset
          journal.changed()
          isCut = offset === cut?.at
        }
        if (isCut) break
      }
      if (isCut && cut !== undefined) yield* finish(cut.ending)
    })

  const step = (step: Step): Effect.Effect<void> => {
    switch (step._tag) {
      case "Wait":
        return Effect.sleep(step.millis)
      case "Body":
        return sendBody(step.source)
      case "Raw":
        return Effect.gen(function*() {
          for (const buffer of buffers(step.source)) {
            yield* written((done) => response.socket?.write(buffer, done) ?? done())
          }
        })
      case "Inform":
        return Effect.sync(() => response.writeInformation(step.status, outgoing(step.headers)))
      case "Head":
        return Effect.map(Clock.currentTimeMillis, (now) => {
          sendHead(step.status, {
            ...outgoing(step.headers),
            ...(step.retryAfter !== undefined && retryAfter(step.retryAfter, now)),
            ...(step.padding !== undefined && { "x-padding": "x".repeat(step.padding) })
          })
        })
      case "Repeat":
        return Effect.gen(function*() {
          for (let times = 0; times !== step.times; times++) {
            yield* run(step.steps)
            if (isCut) return
          }
        })
      case "Finish":
        return finish(step.ending)
    }
  }

  const run = Effect.fnUntraced(function*(steps: ReadonlyArray<Step>) {
    for (const next of steps) {
      if (isCut) return
      yield* step(next)
    }
  })

  return Effect.gen(function*() {
    yield* run(behavior.steps)
    if (!isCut && entry.state === "answering") yield* finish("end")
  })
}
