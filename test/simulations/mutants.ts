/** Mistakes, each of which a property of its scenario must notice: `npm run mutate`. */
import type { Mutant } from "../support/mutant.ts"

const pool = "packages/core/src/internal/connectionPool.ts"
const connections = "packages/core/src/internal/connections.ts"
const transport = "packages/core/src/Transport.ts"
const received = "packages/core/src/internal/received.ts"
const session = "packages/core/src/Session.ts"
const registry = "packages/core/src/SessionRegistry.ts"
const hold = "packages/core/src/internal/hold.ts"
const ledger = "packages/core/src/internal/ledger.ts"

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
    find: "if (Exit.isFailure(exit) && Exit.hasInterrupts(exit)) fiber.interruptUnsafe()",
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
    find: "        discard(entry)\n        return checkout",
    replace: "        return checkout",
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
    find: "Effect.uninterruptibleMask((restore): Effect.Effect<Response, TransportError, Scope.Scope> =>",
    replace:
      "((run: (restore: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) => Effect.Effect<Response, TransportError, Scope.Scope>) => Effect.suspend(() => run((self) => self)))((restore) =>",
    rule: "taking a connection and registering its release are one step"
  },
  {
    module: "Transport",
    file: transport,
    find: "const abort = Effect.andThen(exchange.abort, discard)",
    replace: "const abort = exchange.abort",
    rule: "a connection whose answer was given up is closed"
  },
  {
    module: "Transport",
    file: connections,
    find: "if (now >= entry.at || (idleMillis <= 0",
    replace: "if ((idleMillis <= 0",
    rule: "a connection is not used beyond its lifetime"
  },
  {
    module: "Transport",
    file: connections,
    find: "    entry.at = Math.min(now + idleMillis, entry.expiresAt)\n    alarm.set(entry)",
    replace: "    entry.at = Math.min(now + idleMillis, entry.expiresAt)",
    rule: "a connection that nobody uses is closed in time"
  },
  {
    module: "Transport",
    file: connections,
    find: "      alarm.set(waiter)\n",
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
    file: transport,
    find: "if (deadline !== undefined && deadline.at <= sentAt) {",
    replace: "if (deadline !== undefined && deadline.at < 0) {",
    rule: "nothing is sent for who has no time left"
  },
  {
    module: "Transport",
    file: transport,
    find: "          alarm.set(progress)\n",
    replace: "",
    rule: "a head is waited for no longer than it may take"
  },
  {
    module: "Transport",
    file: transport,
    find: `!(error instanceof ConnectionLost) || error.phase !== "request"`,
    replace: `!(error instanceof ConnectionLost) || error.phase === "body"`,
    rule: "what may have been processed is not sent again"
  },
  {
    module: "Transport",
    file: transport,
    find: "          connections.discard(entry)\n          return Effect.flatMap(",
    replace: "          return Effect.flatMap(",
    rule: "a connection that was left before it was used again is closed"
  },
  {
    module: "Transport",
    file: transport,
    find: "              progress.entry = another\n",
    replace: "",
    rule: "the connection that a call goes on over is given back"
  },
  {
    module: "Transport",
    file: received,
    find: "this.bytes > this.limit ||",
    replace: "this.bytes > 2 * this.limit ||",
    rule: "nobody reads more than is allowed"
  },
  {
    module: "Session",
    file: session,
    find: "registry.closeUnsafe(entry)\n        return Effect.failCause(cause)",
    replace: "return Effect.failCause(cause)",
    rule: "a session that acquired nothing is closed"
  },
  {
    module: "Session",
    file: session,
    find: "return Effect.uninterruptibleMask((restore) =>\n    opened(",
    replace:
      "return ((f: (restore: <A, E, R>(self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>) => any) => Effect.suspend(() => f(Effect.interruptible)))((restore) =>\n    opened(",
    rule: "use: taking and registering the release are one step"
  },
  {
    module: "Session",
    file: session,
    find: "return Effect.uninterruptible(\n    opened(",
    replace: "return Effect.interruptible(\n    opened(",
    rule: "acquire: taking and registering the release are one step"
  },
  {
    module: "Session",
    file: session,
    find: "Effect.as(Scope.addFinalizerExit(scope, close), new Acquired(entry, value, close))",
    replace: "Effect.succeed(new Acquired(entry, value, close))",
    rule: "what was acquired is released with its scope"
  },
  {
    module: "Session",
    file: session,
    find: "Effect.retry(next, info.releaseRetry ?? releaseRetry)",
    replace: "next",
    rule: "a release that fails is tried again"
  },
  {
    module: "Session",
    file: "packages/core/src/internal/pump.ts",
    find: "    Hold.interruptWhenRevoked(entry, fiber)\n",
    replace: "",
    rule: "a stream that is revoked fails with SessionRevoked"
  },
  {
    module: "Session",
    file: hold,
    find: "if (entry.state === \"releasing\") return closed(entry)",
    replace: "",
    rule: "exactly one release"
  },
  {
    module: "Session",
    file: hold,
    find: "      leave(entry)\n      return undefined",
    replace: "      return undefined",
    rule: "a session that was released is off the ledger"
  },
  {
    module: "Session",
    file: hold,
    find: "return own.length === 0 ? Exit.fail(entry.revoked) : Exit.failCause(Cause.fromReasons(own))",
    replace: "return exit",
    rule: "revocation is a typed error, never a bare interruption"
  },
  {
    module: "Session",
    file: hold,
    find: "() => Effect.andThen(Fiber.interrupt(fiber), Effect.suspend(() => defectsOf(fiber)))",
    replace: "() => Effect.void",
    rule: "work does not outlive its session"
  },
  {
    module: "Session",
    file: registry,
    find: "yield* Effect.forEach(byParent.get(entry) ?? [], take, { concurrency: \"unbounded\", discard: true })",
    replace: "",
    rule: "children are taken back before their parent"
  },
  {
    module: "Session",
    file: registry,
    find: "for (const listener of onRevoked?.slice() ?? []) listener()",
    replace: "{}",
    rule: "users are told before anything is taken from them"
  },
  {
    module: "Session",
    file: registry,
    find: "const release = Effect.uninterruptible(Hold.close(entry, Exit.fail(entry.revoked), closeUnsafe))",
    replace: "const release = Effect.void",
    rule: "who does not let go in time is released under"
  },
  {
    module: "Session",
    file: registry,
    find: "if (ledger.tenantSize(tenant) >= limit)",
    replace: "if (ledger.tenantSize(tenant) > 2 * limit)",
    rule: "no tenant exceeds its quota"
  },
  {
    module: "Session",
    file: registry,
    find: "if (entry.state === \"acquiring\") {",
    replace: "if (entry.state === \"acquiring\") return\n          if (entry.kind === \"\") {",
    rule: "a parent is not taken from under a child that is being acquired"
  },
  {
    module: "Session",
    file: ledger,
    find: "entries.push(entry)\n      entry.revoked",
    replace: "if (entry.revoked === undefined) entries.push(entry)\n      entry.revoked",
    rule: "a revocation under way elsewhere is waited for"
  },
  {
    module: "Session",
    file: ledger,
    find: "if (left === 0) this.byTenant.delete(tenant)",
    replace: "if (left >= 0) this.byTenant.delete(tenant)",
    rule: "a tenant's count is the count of its sessions"
  }
]
