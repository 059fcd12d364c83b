/**
 * Mistakes in what connects, sends and reads: the transport, and the client's view of it.
 *
 * Two other tables have mistakes in the transport: test/exhaustive/mutants.ts (module `ConnectionPool`) in the pool's machine,
 * and test/differential/mutants.ts in exchanges and the pool.
 */
import type { Mutant } from "../../support/mutant.ts"

const pool = "packages/core/src/internal/transport/machine.ts"
const connections = "packages/core/src/internal/transport/connections.ts"
const poolOfOrigin = "packages/core/src/internal/transport/pool.ts"
const transport = "packages/core/src/Transport.ts"
const exchange = "packages/core/src/internal/transport/exchange.ts"
const body = "packages/core/src/internal/transport/body.ts"
const unread = "packages/core/src/internal/transport/unreadBody.ts"
const offers = "packages/core/src/internal/transport/offers.ts"
const lifetime = "packages/core/src/internal/transport/lifetime.ts"
const view = "packages/core/src/HttpClientView.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Transport",
    file: pool,
    find: "if (this.total >= this.max) return undefined",
    replace: "if (this.total > this.max) return undefined",
    rule: "opening, open and closing never exceed the limit"
  },
  {
    module: "Transport",
    file: pool,
    find: "    if (waiter !== undefined) return { waiter, grant: open }\n    this.total--",
    replace: "    this.total--",
    rule: "a wake is never lost"
  },
  {
    module: "Transport",
    file: connections,
    find: `if (waiter.grant._tag === "Open") gone(origin, pool, undefined)`,
    replace: `if (waiter.grant._tag === "Open") return`,
    rule: "who is interrupted while waiting gives back what it was woken with"
  },
  {
    module: "Transport",
    file: connections,
    find: "if (Exit.isFailure(exit)) fiber.interruptUnsafe()",
    replace: "",
    rule: "a connection whose caller left while it was set up is closed"
  },
  {
    module: "Transport",
    file: connections,
    find: "atMost(Effect.andThen(connection.close, connection.closed), options.closeTimeout)",
    replace: "Effect.andThen(connection.close, connection.closed)",
    rule: "every close has a deadline"
  },
  {
    module: "Transport",
    file: connections,
    find: "      discard(entry)\n      return checkout",
    replace: "      return checkout",
    rule: "a connection that the server has left is closed"
  },
  {
    module: "Transport",
    file: connections,
    find: "      if (isClosed) {\n        gone",
    replace: "      if (isClosed && options.max < 0) {\n        gone",
    rule: "nothing is opened once the transport is closed"
  },
  {
    module: "Transport",
    file: transport,
    find: "Session.acquire(\n",
    replace:
      "((...[info, take, put]: Parameters<typeof Session.acquire<Exchange, any, never>>) => Effect.flatMap(Session.acquire(info, take, () => Effect.void), (handle) => Effect.as(Effect.addFinalizer((exit) => put(handle.value, exit)), handle)))(\n",
    rule: "taking a connection and registering its release are one step"
  },
  {
    module: "Transport",
    file: exchange,
    find: "const abort = Effect.ensuring(head.abort, Effect.suspend(discard))",
    replace: "const abort = head.abort",
    rule: "a connection whose answer was given up is closed"
  },
  {
    module: "Transport",
    file: transport,
    find: "(restore) => exchange.begin(restore)",
    replace: "exchange.begin((part) => Effect.interruptible(part))",
    rule: "a revocation ends the wait for a connection"
  },
  {
    module: "Transport",
    file: connections,
    find: "if (Exit.isSuccess(exit) || pool.leave(waiter)",
    replace: "if (Exit.isSuccess(exit) || !Exit.hasInterrupts(exit) || pool.leave(waiter)",
    rule: "who is revoked while waiting gives back what it was woken with"
  },
  {
    module: "Transport",
    file: connections,
    find: "if (Exit.isFailure(exit)) fiber.interruptUnsafe()",
    replace: "if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) fiber.interruptUnsafe()",
    rule: "a connection whose call was revoked while it was set up is closed"
  },
  {
    module: "Transport",
    file: connections,
    find: "maxLifetime * (1 - lifetimeSpread",
    replace: "maxLifetime * (1 + lifetimeSpread",
    rule: "a connection is not used beyond its lifetime"
  },
  {
    module: "Transport",
    file: connections,
    find: "    entry.at = Math.min(now + idleMillis, entry.expiresAt)\n    timers.set(entry)",
    replace: "    entry.at = Math.min(now + idleMillis, entry.expiresAt)",
    rule: "a connection that nobody uses is closed in time"
  },
  {
    module: "Transport",
    file: connections,
    find: "    timers.set(waiter)\n",
    replace: "",
    rule: "whoever waits has a limit of their own"
  },
  {
    module: "Transport",
    file: pool,
    find: "      if (waiter.until <= now) continue\n",
    replace: "      if (waiter.until > now && this.waiters.size > 1) continue\n",
    rule: "waiters are served as long as they have time"
  },
  {
    module: "Transport",
    file: exchange,
    find: "if (deadline !== undefined && deadline.at <= sentAt) {",
    replace: "if (deadline !== undefined && deadline.at < 0) {",
    rule: "nothing is sent for who has no time left"
  },
  {
    module: "Transport",
    file: exchange,
    find: "      timers.set(this)\n",
    replace: "",
    rule: "a head is waited for no longer than it may take"
  },
  {
    module: "Transport",
    file: exchange,
    find: `reason.error.phase === "request"`,
    replace: `reason.error.phase !== "body"`,
    rule: "what may have been processed is not sent again"
  },
  {
    module: "Transport",
    file: exchange,
    find: "      connections.discard(lost)\n",
    replace: "",
    rule: "a connection that was left before it was used again is closed"
  },
  {
    module: "Transport",
    file: exchange,
    find: "        this.connection = another\n        return restore(Effect.suspend(() => this.send(session)))",
    replace:
      "        const forgotten = this.connection\n        this.connection = another\n        return Effect.onExitPrimitive(restore(Effect.suspend(() => this.send(session))), () => void (this.connection = forgotten))",
    rule: "the connection that a call goes on over is given back"
  },
  {
    module: "Transport",
    file: body,
    find: "this.bytes > this.limit ||",
    replace: "this.bytes > 2 * this.limit ||",
    rule: "nobody reads more than is allowed"
  },
  {
    module: "Transport",
    file: exchange,
    find: "if (connection === undefined || isReleased(session)) return",
    replace: "if (connection === undefined) return",
    rule: "nothing is sent for a call whose scope is closed"
  },
  {
    module: "Transport",
    file: exchange,
    find: "        if (isReleased(session)) {\n          connections",
    replace: "        if (isReleased(session) && idleMillis < 0) {\n          connections",
    rule: "a connection that comes after the release is given back"
  },
  {
    module: "Transport",
    file: exchange,
    find: "unlessRevoked(Effect.raceFirst(part, ended))",
    replace: "unlessRevoked(part)",
    rule: "a call that goes on over another connection ends with its scope"
  },
  {
    module: "Transport",
    file: exchange,
    find: "Exit.hasInterrupts(exit) || body.isReading ||",
    replace: "Exit.hasInterrupts(exit) ||",
    rule: "a drain does not take the place of a reader that waits"
  },
  {
    module: "Transport",
    file: body,
    find: `    if (session.state !== "open") return Effect.fail(Lifecycle.whyEnded(session))\n`,
    replace: "",
    rule: "nothing is read once the exchange is over"
  },
  {
    module: "Transport",
    file: body,
    find: "    if (progress.isReading) return secondReader\n",
    replace: "",
    rule: "a body has one reader at a time"
  },
  {
    module: "Transport",
    file: poolOfOrigin,
    find: "return this.at > now && this.wire.isUsable()",
    replace: "return this.at > now",
    rule: "a connection with unsent bytes, or one that is closing, is not used again"
  },
  {
    module: "HttpClientView",
    file: connections,
    find: "      pool.offers.ask(pool.waiting)\n",
    replace: "",
    rule: "a call that waits gets the connection of a body that nobody reads"
  },
  {
    module: "HttpClientView",
    file: offers,
    find: "    if (this.unmet > 0) {",
    replace: "    if (this.unmet > 1e9) {",
    rule: "a body that comes while a call waits is asked for as well"
  },
  {
    module: "HttpClientView",
    file: offers,
    find: "      if (offer()) return\n",
    replace: "      offer()\n      return\n",
    rule: "where one is not sure to give up, the next is asked"
  },
  {
    module: "HttpClientView",
    file: unread,
    find: "    if (fiber === undefined) return this.drop()\n",
    replace: "    if (fiber === undefined) return false\n",
    rule: "the large body of an error is closed when another call waits"
  },
  {
    module: "HttpClientView",
    file: unread,
    find: "&& !this.lifetime.isOver) this.drop()",
    replace: "&& this.lifetime.isOver) this.drop()",
    rule: "the body of an error that does not come is closed when another call waits"
  },
  {
    module: "HttpClientView",
    file: unread,
    find: "    if (!this.isError) {\n",
    replace: "    if (this.source.status < 0) {\n",
    rule: "the body of a success is never dropped"
  },
  {
    module: "HttpClientView",
    file: unread,
    find: "return fiber === undefined ? this.next :",
    replace: "return fiber === undefined || this.size === 0 ? this.next :",
    rule: "a reader waits for what is being read ahead"
  },
  {
    module: "HttpClientView",
    file: unread,
    find: "    if (first === undefined) return this.end ?? this.source.body\n",
    replace: "    if (first === undefined || this.end === undefined) return this.end ?? this.source.body\n",
    rule: "what was read ahead comes first"
  },
  {
    module: "HttpClientView",
    file: unread,
    find: "if (this.end !== undefined) this.closeWith(Exit.void)",
    replace: "",
    rule: "a body that was read ahead to its end gives its connection back"
  },
  {
    module: "HttpClientView",
    file: lifetime,
    find: "if (this.isClosing) return this.closed.await",
    replace: "if (this.isClosing) return Effect.void",
    rule: "a scope ends when all in it is given back, whoever began with that"
  },
  {
    module: "HttpClientView",
    file: view,
    find: "restore(Scope.provide(execute, lifetime.scope))",
    replace: "restore(Scope.provide(execute, own))",
    rule: "a response ends with the scope around its call"
  }
]
