/** A transport over a wire of the user's own, in memory, which does not keep what the port asks of it. */
import { Deadline, Timeouts, Transport, TransportError, type Wire } from "@clawback/core"
import { SessionRegistry } from "@clawback/core"
import { describe } from "@effect/vitest"
import { Cause, Deferred, Effect, Exit, Fiber, Pull, Scope } from "effect"
import { eventually, expect, outcome, program, promptly } from "./support.ts"

const bytes = (text: string) => new TextEncoder().encode(text)

/** A body of these pieces. */
const pieces = (...texts: ReadonlyArray<string>): Wire.Exchange["pull"] => {
  let at = 0
  return Effect.suspend((): Wire.Exchange["pull"] => {
    const text = texts[at++]
    return text === undefined ? Cause.done() : Effect.succeed([bytes(text)])
  })
}

interface Log {
  connected: number
  closed: number
  aborted: number
  sent: Array<Wire.Request>
}

/** A wire that works, with a log, of which a program replaces parts. */
const wire = (
  parts: (n: number, log: Log) => Partial<Wire.Connection> & { readonly exchange?: Partial<Wire.Exchange> } = () => ({})
) => {
  const log: Log = { connected: 0, closed: 0, aborted: 0, sent: [] }
  const made: Wire.Wire = {
    connect: () =>
      Effect.sync(() => {
        const n = log.connected++
        const gone = Deferred.makeUnsafe<void>()
        let isOpen = true
        const { exchange, ...own } = parts(n, log)
        const lost = Effect.andThen(
          Deferred.await(gone),
          new TransportError.ConnectionLost({ origin: "http://a.test", phase: "body", cause: "closed" })
        )
        const refused = Effect.andThen(
          Deferred.await(gone),
          new TransportError.ConnectFailed({ origin: "http://a.test", reason: "other", cause: "closed" })
        )
        const pull = exchange?.pull
        return {
          ready: Effect.void,
          closed: Deferred.await(gone),
          isUsable: () => isOpen,
          send: (request) =>
            Effect.sync(() => {
              log.sent.push(request)
              return {
                status: 200,
                headers: {},
                pull: pieces(`answer ${log.sent.length}`),
                abort: Effect.sync(() => void log.aborted++),
                ...exchange,
                ...(pull !== undefined && { pull: Effect.raceFirst(pull, lost) })
              }
            }),
          close: Effect.sync(() => {
            if (isOpen) log.closed++
            isOpen = false
            Deferred.doneUnsafe(gone, Exit.void)
          }),
          ...own,
          ...(own.ready !== undefined && { ready: Effect.raceFirst(own.ready, refused) })
        }
      })
  }
  return { made, log }
}

const call = (transport: Transport.Transport["Service"], request: Partial<Transport.Request> = {}) =>
  Effect.scoped(
    Effect.flatMap(
      transport.execute({ method: "GET", url: "http://a.test/", headers: {}, ...request }),
      Transport.text
    )
  )

/** A call that is interrupted while its body is awaited. */
const cutShort = (transport: Transport.Transport["Service"]) =>
  Effect.gen(function*() {
    const scope = yield* Scope.make()
    const response = yield* Scope.provide(
      transport.execute({ method: "GET", url: "http://a.test/", headers: {} }),
      scope
    )
    const reader = yield* Effect.forkChild(response.body, { startImmediately: true })
    yield* promptly("interrupting", "3 seconds")(Fiber.interrupt(reader))
    return yield* outcome(promptly("leaving", "3 seconds")(Scope.close(scope, Exit.interrupt())))
  })

const one: Transport.Options = { connections: 1, closeTimeout: "50 millis" }

describe("a wire of one's own", () => {
  program("a wire in memory serves calls over one kept connection", () =>
    Effect.gen(function*() {
      const { log, made } = wire()
      yield* Effect.scoped(Effect.gen(function*() {
        const transport = yield* Transport.make(made, one)
        for (let n = 1; n <= 5; n++) expect(yield* call(transport)).toBe(`answer ${n}`)
      }))
      expect(log).toMatchObject({ connected: 1, closed: 1 })
    }))

  program("a wire that dies as it connects costs a call its defect and nobody a place", () =>
    Effect.gen(function*() {
      let isBroken = true
      const { made } = wire()
      const broken: Wire.Wire = {
        connect: (origin) => Effect.suspend(() => isBroken ? Effect.die(new Error("bug")) : made.connect(origin))
      }
      const transport = yield* Transport.make(broken, one)
      for (let n = 0; n < 3; n++) expect(yield* outcome(promptly("a call")(call(transport)))).toContain("bug")
      isBroken = false
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
    }))

  program("a wire whose connect throws before it is an effect costs nobody a place", () =>
    Effect.gen(function*() {
      let isBroken = true
      const { made } = wire()
      const broken: Wire.Wire = {
        connect: (origin) => {
          if (isBroken) throw new Error("bug")
          return made.connect(origin)
        }
      }
      const transport = yield* Transport.make(broken, one)
      for (let n = 0; n < 3; n++) {
        expect(yield* outcome(promptly("a call", "2 seconds")(call(transport)))).toContain("bug")
      }
      isBroken = false
      expect(yield* promptly("the next", "2 seconds")(call(transport))).toMatch(/^answer/)
    }))

  program("a connection that is never ready is a ConnectTimeout, and is closed", () =>
    Effect.gen(function*() {
      const { log, made } = wire((n) => n === 0 ? { ready: Effect.never } : {})
      const transport = yield* Transport.make(made, one)
      expect(yield* outcome(promptly("a call")(call(transport, { timeouts: { connect: "20 millis" } })))).toBe(
        "ConnectTimeout"
      )
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      expect(log.closed).toBe(1)
    }))

  program("a connection whose ready dies costs nobody a place", () =>
    Effect.gen(function*() {
      const { made } = wire((n) => n < 2 ? { ready: Effect.die(new Error("bug")) } : {})
      const transport = yield* Transport.make(made, one)
      expect(yield* outcome(promptly("a call")(call(transport)))).toContain("bug")
      expect(yield* outcome(promptly("a call")(call(transport)))).toContain("bug")
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
    }))

  program("a connection whose ready interrupts itself is no hang", () =>
    Effect.gen(function*() {
      const { made } = wire((n) => n < 1 ? { ready: Effect.interrupt } : {})
      const transport = yield* Transport.make(made, one)
      yield* outcome(promptly("a call")(call(transport)))
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
    }))

  program("a send that dies gives the connection up and its place back", () =>
    Effect.gen(function*() {
      const { log, made } = wire((n) => n < 2 ? { send: () => Effect.die(new Error("bug")) } : {})
      const transport = yield* Transport.make(made, one)
      expect(yield* outcome(promptly("a call")(call(transport)))).toContain("bug")
      expect(yield* outcome(promptly("a call")(call(transport)))).toContain("bug")
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      expect(log.closed).toBe(2)
    }))

  program("a send that throws before it is an effect gives the place back", () =>
    Effect.gen(function*() {
      const { made } = wire((n) =>
        n < 1
          ? {
            send: () => {
              throw new Error("bug")
            }
          }
          : {}
      )
      const transport = yield* Transport.make(made, one)
      expect(yield* outcome(promptly("a call")(call(transport)))).toContain("bug")
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
    }))

  program(
    "a send that never answers is cut by the deadline, and the connection is closed",
    () =>
      Effect.gen(function*() {
        const { log, made } = wire((n) => n < 1 ? { send: () => Effect.never } : {})
        const transport = yield* Transport.make(made, one)
        expect(yield* outcome(Deadline.within("300 millis")(call(transport)))).toBe("DeadlineExceeded")
        expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
        expect(log.closed).toBe(1)
      })
  )

  program("an abort that dies holds nothing", () =>
    Effect.gen(function*() {
      const { made } = wire((n) =>
        n < 1 ? { exchange: { pull: Effect.never, abort: Effect.die(new Error("abort")) } } : {}
      )
      const transport = yield* Transport.make(made, one)
      yield* cutShort(transport)
      expect(yield* promptly("the next", "3 seconds")(call(transport))).toMatch(/^answer/)
    }))

  program(
    "a connection whose close dies is given up after closeTimeout, and its place is free again",
    () =>
      Effect.gen(function*() {
        const { made } = wire((n) =>
          n < 1 ? { exchange: { pull: Effect.never }, close: Effect.die(new Error("close")) } : {}
        )
        const transport = yield* Transport.make(made, one)
        yield* cutShort(transport)
        expect(yield* promptly("the next", "3 seconds")(call(transport))).toMatch(/^answer/)
      })
  )

  program("a slow abort is waited for, and the connection is given up after it", () =>
    Effect.gen(function*() {
      const { log, made } = wire((n) =>
        n < 1 ? { exchange: { pull: Effect.never, abort: Effect.sleep("60 millis") } } : {}
      )
      const transport = yield* Transport.make(made, one)
      expect(yield* cutShort(transport)).toBe("success")
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      expect(log.closed).toBe(1)
    }))

  program(
    "a connection that never closes is given up after closeTimeout, and its place is free again",
    () =>
      Effect.gen(function*() {
        const { made } = wire((n) => n < 1 ? { send: () => Effect.die("x"), closed: Effect.never } : {})
        const transport = yield* Transport.make(made, one)
        yield* outcome(call(transport))
        expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      })
  )

  program("a layer whose connections never close ends after closeTimeout", () =>
    Effect.gen(function*() {
      const { made } = wire(() => ({ closed: Effect.never, close: Effect.void }))
      yield* promptly("closing")(Effect.scoped(Effect.gen(function*() {
        const transport = yield* Transport.make(made, { closeTimeout: "20 millis" })
        yield* Effect.all(Array.from({ length: 20 }, () => call(transport)), { concurrency: "unbounded" })
      })))
    }))

  program("a connection whose closed dies holds neither a place nor the end", () =>
    Effect.gen(function*() {
      const { made } = wire((n) =>
        n < 1 ? { send: () => Effect.die("x"), closed: Effect.die(new Error("closed")) } : {}
      )
      yield* promptly("all of it")(Effect.scoped(Effect.gen(function*() {
        const transport = yield* Transport.make(made, one)
        yield* outcome(call(transport))
        expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      })))
    }))

  program("a connection that is never usable again is used once, and closed each time", () =>
    Effect.gen(function*() {
      const { log, made } = wire(() => ({ isUsable: () => false }))
      yield* Effect.scoped(Effect.gen(function*() {
        const transport = yield* Transport.make(made, one)
        for (let n = 1; n <= 3; n++) yield* outcome(promptly("a call")(call(transport)))
      }))
      expect(log.closed).toBe(log.connected)
    }))

  program("an isUsable that throws holds neither a place nor the end", () =>
    Effect.gen(function*() {
      const { made } = wire((n) =>
        n < 1
          ? {
            isUsable: () => {
              throw new Error("bug")
            }
          }
          : {}
      )
      yield* promptly("all of it", "3 seconds")(Effect.scoped(Effect.gen(function*() {
        const transport = yield* Transport.make(made, one)
        for (let n = 0; n < 3; n++) yield* outcome(promptly("a call", "1 second")(call(transport)))
        expect(yield* outcome(promptly("the next", "1 second")(call(transport)))).toBe("success")
      })))
    }))

  program("a body that fails tells its reader, and the connection is given up", () =>
    Effect.gen(function*() {
      const lost = new TransportError.ConnectionLost({ origin: "http://a.test", phase: "body", cause: "x" })
      const { log, made } = wire((n) => n < 1 ? { exchange: { pull: Effect.fail(lost) } } : {})
      const transport = yield* Transport.make(made, one)
      expect(yield* outcome(call(transport))).toBe("ConnectionLost")
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      expect(log.closed).toBe(1)
    }))

  program("a body that dies tells its reader, and the connection is given up", () =>
    Effect.gen(function*() {
      const { log, made } = wire((n) => n < 1 ? { exchange: { pull: Effect.die(new Error("bug")) } } : {})
      const transport = yield* Transport.make(made, one)
      expect(yield* outcome(call(transport))).toContain("bug")
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      expect(log.closed).toBe(1)
    }))

  program("a body of empty pieces without end is cut by a deadline", () =>
    Effect.gen(function*() {
      const { made } = wire((n) => n < 1 ? { exchange: { pull: Effect.succeed([new Uint8Array(0)]) } } : {})
      const transport = yield* Transport.make(made, one)
      expect(yield* outcome(promptly("a call")(Deadline.within("300 millis")(call(transport))))).toBe(
        "DeadlineExceeded"
      )
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
    }))

  program(
    "a body without end, which is never done and small, is not drained for ever when its reader leaves",
    () =>
      Effect.gen(function*() {
        const { log, made } = wire((n) =>
          n < 1 ? { exchange: { headers: { "content-length": "10" }, pull: Effect.succeed([new Uint8Array(0)]) } } : {}
        )
        const transport = yield* Transport.make(made, one)
        yield* promptly("leaving it unread")(
          Effect.scoped(transport.execute({ method: "GET", url: "http://a.test/", headers: {} }))
        )
        expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
        expect(log.closed).toBe(1)
      })
  )

  program(
    "a pull that cannot be interrupted does not make a leaving caller wait for ever",
    () =>
      Effect.gen(function*() {
        const { made } = wire((n) =>
          n < 1
            ? {
              exchange: {
                headers: { "content-length": "10" },
                pull: Effect.uninterruptible(Effect.sleep("400 millis")) as never
              }
            }
            : {}
        )
        const transport = yield* Transport.make(made, one)
        yield* promptly("leaving it unread")(
          Effect.scoped(transport.execute({ method: "GET", url: "http://a.test/", headers: {} }))
        )
        expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      })
  )

  for (const length of ["abc", "-5", "1e3", "", "Infinity", "5, 5"]) {
    program(
      `a wire that passes on a content-length of ${JSON.stringify(length)} loses no body`,
      () =>
        Effect.gen(function*() {
          const { made } = wire(() => ({
            exchange: { headers: { "content-length": length }, pull: pieces("abc", "de") }
          }))
          const transport = yield* Transport.make(made, one)
          expect(yield* outcome(promptly("a call")(call(transport)))).toBe("success")
        })
    )
  }

  program("a connection that closes by itself while it is idle is not used again", () =>
    Effect.gen(function*() {
      const gone = yield* Deferred.make<void>()
      let isUsable = true
      const { log, made } = wire((n) => n < 1 ? { closed: Deferred.await(gone), isUsable: () => isUsable } : {})
      const transport = yield* Transport.make(made, one)
      expect(yield* call(transport)).toMatch(/^answer/)
      isUsable = false
      yield* Deferred.succeed(gone, undefined)
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      expect(log.connected).toBe(2)
    }))

  program("a slow connect that is interrupted leaves no connection behind", () =>
    Effect.gen(function*() {
      const { log, made } = wire()
      const slow: Wire.Wire = { connect: (origin) => Effect.delay(made.connect(origin), "40 millis") }
      yield* Effect.scoped(Effect.gen(function*() {
        const transport = yield* Transport.make(slow, one)
        const caller = yield* Effect.forkChild(call(transport))
        yield* Effect.sleep("10 millis")
        yield* promptly("interrupting")(Fiber.interrupt(caller))
        expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
      }))
      expect(log.closed).toBe(log.connected)
    }))

  program("a connect that is slower than the connect limit costs nobody a place", () =>
    Effect.gen(function*() {
      const { made } = wire()
      let n = 0
      const slow: Wire.Wire = {
        connect: (origin) => n++ === 0 ? Effect.delay(made.connect(origin), "80 millis") : made.connect(origin)
      }
      const transport = yield* Transport.make(slow, one)
      const got = yield* outcome(promptly("a call")(call(transport, { timeouts: { connect: "20 millis" } })))
      expect(["ConnectTimeout", "success"]).toContain(got)
      expect(yield* promptly("the next")(call(transport))).toMatch(/^answer/)
    }))

  program(
    "connections that are lost before the first byte are replaced, and not for ever",
    () =>
      Effect.gen(function*() {
        const lost = new TransportError.ConnectionLost({ origin: "http://a.test", phase: "request", cause: "x" })
        const { made } = wire(() => ({ send: () => Effect.fail(lost) }))
        const transport = yield* Transport.make(made, one)
        expect(yield* outcome(promptly("a call")(call(transport)))).toBe("ConnectionLost")
      })
  )

  program(
    "an interruption between the head and the first pull gives the connection up once",
    () =>
      Effect.gen(function*() {
        const { log, made } = wire(() => ({ exchange: { pull: Effect.never } }))
        yield* Effect.scoped(Effect.gen(function*() {
          const transport = yield* Transport.make(made, { connections: 4 })
          for (let n = 0; n < 10; n++) {
            const caller = yield* Effect.forkChild(call(transport), { startImmediately: true })
            yield* Fiber.interrupt(caller)
          }
          yield* eventually(SessionRegistry.counts, (counts) => counts["connection"] === undefined)
        }))
        expect(log.closed).toBe(log.connected)
      })
  )

  program(
    "fifty callers over two connections, half of them gone at random, leave the rest served",
    () =>
      Effect.gen(function*() {
        const { made } = wire(() => ({
          send: () =>
            Effect.as(Effect.sleep("2 millis"), { status: 200, headers: {}, pull: pieces("x"), abort: Effect.void })
        }))
        const transport = yield* Transport.make(made, { connections: 2 })
        const callers = yield* Effect.forEach(
          Array.from({ length: 50 }),
          () => Effect.forkChild(outcome(call(transport)))
        )
        yield* Effect.forEach(
          callers,
          (caller, n) => n % 2 === 0 ? Effect.delay(Fiber.interrupt(caller), 1) : Effect.void,
          {
            concurrency: "unbounded"
          }
        )
        const odd = callers.filter((_, n) => n % 2 === 1)
        const got = yield* promptly("the others")(Effect.forEach(odd, Fiber.join))
        expect(new Set(got)).toEqual(new Set(["success"]))
      })
  )

  program(
    "a caller that waits is told QueueTimeout in its time, and one too many QueueFull at once",
    () =>
      Effect.gen(function*() {
        const { made } = wire(() => ({ exchange: { pull: Effect.never } }))
        const transport = yield* Transport.make(made, { connections: 1, maxWaiting: 1 })
        const holder = yield* Effect.forkChild(call(transport), { startImmediately: true })
        const waiting = yield* Effect.forkChild(outcome(call(transport, { timeouts: { queue: "30 millis" } })), {
          startImmediately: true
        })
        expect(yield* outcome(call(transport))).toBe("QueueFull")
        expect(yield* promptly("the one that waits")(Fiber.join(waiting))).toBe("QueueTimeout")
        yield* Fiber.interrupt(holder)
      })
  )

  program(
    "a queue limit of zero fails at once where there is none free, and serves where there is",
    () =>
      Effect.gen(function*() {
        const { made } = wire((n) => n === 0 ? { exchange: { pull: Effect.never } } : {})
        const transport = yield* Transport.make(made, { connections: 1 })
        const holder = yield* Effect.forkChild(call(transport), { startImmediately: true })
        expect(yield* outcome(promptly("a call")(call(transport, { timeouts: { queue: 0 } })))).toBe("QueueTimeout")
        yield* Fiber.interrupt(holder)
        expect(yield* promptly("the next")(call(transport, { timeouts: { queue: "1 second" } }))).toMatch(/^answer/)
      })
  )

  program(
    "a layer that closes while calls wait, connect and read ends each with a typed error",
    () =>
      Effect.gen(function*() {
        const { made } = wire((n) => n === 0 ? { exchange: { pull: Effect.never } } : { ready: Effect.never })
        const scope = yield* Scope.make()
        const transport = yield* Scope.provide(
          Transport.make(made, { connections: 2, closeTimeout: "50 millis" }),
          scope
        )
        const calls = yield* Effect.forEach(Array.from({ length: 6 }), () =>
          Effect.forkChild(outcome(call(transport)), { startImmediately: true }))
        yield* Effect.sleep("5 millis")
        yield* promptly("closing")(Scope.close(scope, Exit.void))
        for (const got of yield* promptly("the calls")(Effect.forEach(calls, Fiber.join))) {
          expect(["TransportClosed", "ConnectionLost"]).toContain(got)
        }
      })
  )

  program("two transports over one wire do not share connections", () =>
    Effect.gen(function*() {
      const { log, made } = wire()
      const first = yield* Transport.make(made, one)
      const second = yield* Transport.make(made, one)
      yield* call(first)
      yield* call(second)
      expect(log.connected).toBe(2)
    }))

  program(
    "origins that differ by case, default port or a dot are kept apart or together, but each is served",
    () =>
      Effect.gen(function*() {
        const { log, made } = wire()
        const transport = yield* Transport.make(made, one)
        for (
          const url of ["http://a.test", "http://A.TEST/", "http://a.test:80/x", "http://a.test./", "http://a.test/?q"]
        ) {
          yield* promptly("a call")(call(transport, { url }))
        }
        expect(log.connected).toBeLessThanOrEqual(2)
      })
  )

  program(
    "a thousand origins leave no connection and no pool that holds anything once they are idle",
    () =>
      Effect.gen(function*() {
        const { log, made } = wire()
        const transport = yield* Transport.make(made, { idleTimeToLive: 0 })
        yield* Effect.forEach(
          Array.from({ length: 1000 }, (_, n) => n),
          (n) => call(transport, { url: `http://h${n}.test/` }),
          { concurrency: 50 }
        )
        yield* eventually(SessionRegistry.counts, (counts) => counts["connection"] === undefined)
        expect(log.closed).toBe(1000)
      })
  )

  program("a connection that lives longer than maxLifetime is not given another request", () =>
    Effect.gen(function*() {
      const { log, made } = wire()
      const transport = yield* Transport.make(made, { connections: 1, maxLifetime: 0 })
      for (let n = 1; n <= 3; n++) expect(yield* promptly("a call")(call(transport))).toBe(`answer ${n}`)
      expect(log.connected).toBe(3)
    }))

  for (
    const [name, value] of [
      ["connections", 0],
      ["connections", 1.5],
      ["connections", Number.NaN],
      ["connections", "4"],
      ["maxWaiting", -1],
      ["idleTimeToLive", "soon"],
      ["idleTimeToLive", -1],
      ["maxLifetime", Number.NaN],
      ["maxBodySize", -1],
      ["closeTimeout", Infinity],
      ["closeTimeout", "never"]
    ] as const
  ) {
    program(
      `the option ${name}: ${JSON.stringify(value)} is a defect that names it, before anything is opened`,
      () =>
        Effect.gen(function*() {
          const { made } = wire()
          const got = yield* outcome(Effect.scoped(Transport.make(made, { [name]: value } as never)))
          expect(got).toContain("RangeError")
          expect(got).toContain(name)
        })
    )
  }

  program(
    "an exchange that is revoked while it waits in the queue leaves its turn to the next",
    () =>
      Effect.gen(function*() {
        const release = yield* Deferred.make<void>()
        const { made } = wire((n) =>
          n === 0
            ? {
              send: () =>
                Effect.as(Deferred.await(release), {
                  status: 200,
                  headers: {},
                  pull: pieces("late"),
                  abort: Effect.void
                })
            }
            : {}
        )
        const transport = yield* Transport.make(made, one)
        const holder = yield* Effect.forkChild(outcome(call(transport)), { startImmediately: true })
        const waiting = yield* Effect.forkChild(outcome(call(transport, { url: "http://a.test/revoked" })), {
          startImmediately: true
        })
        const last = yield* Effect.forkChild(outcome(call(transport)), { startImmediately: true })
        const waits = (yield* SessionRegistry.list({ kind: "exchange" })).filter(({ name }) => name.includes("revoked"))
        expect(waits).toHaveLength(1)
        yield* promptly("revoking")(SessionRegistry.revoke({ id: waits[0]?.id ?? 0 }, { reason: "test" }))
        expect(yield* Fiber.join(waiting)).toBe("SessionRevoked")
        yield* Deferred.succeed(release, undefined)
        expect(yield* promptly("the others")(Effect.all([Fiber.join(holder), Fiber.join(last)]))).toEqual([
          "success",
          "success"
        ])
      })
  )

  program(
    "a body that is pulled through Timeouts.applyStream is cut when it is idle, and its connection closed",
    () =>
      Effect.gen(function*() {
        const first = pieces("a")
        let n = 0
        const { log, made } = wire(() => ({
          exchange: { pull: Effect.suspend(() => n++ === 0 ? first : Effect.never) }
        }))
        const transport = yield* Transport.make(made, one)
        const got = yield* outcome(Effect.scoped(Effect.gen(function*() {
          const response = yield* transport.execute({ method: "GET", url: "http://a.test", headers: {} })
          const { Stream } = yield* Effect.promise(() => import("effect"))
          yield* Transport.stream(response).pipe(
            Timeouts.applyStream({ timeouts: { idle: "20 millis" } }),
            Stream.runDrain
          )
        })))
        expect(got).toBe("IdleTimeout")
        yield* eventually(Effect.sync(() => log.closed), (closed) => closed === 1)
      })
  )

  program("pulls that are interrupted and tried again lose no piece of a body", () =>
    Effect.gen(function*() {
      let n = 0
      const { made } = wire(() => ({
        exchange: {
          pull: Effect.suspend((): Wire.Exchange["pull"] => {
            n++
            return n > 10 ? Cause.done() : Effect.as(Effect.sleep("3 millis"), [bytes(String(n % 10))] as const)
          })
        }
      }))
      const transport = yield* Transport.make(made, one)
      const response = yield* transport.execute({ method: "GET", url: "http://a.test", headers: {} })
      const tried = yield* Effect.exit(Effect.timeoutOption(response.body, "1 millis"))
      expect(Exit.isSuccess(tried)).toBe(true)
      const rest = yield* promptly("the rest")(Transport.text(response))
      expect(rest.endsWith("90")).toBe(true)
      expect(Pull.isDoneCause(Cause.empty)).toBe(false)
    }))
})
