/** Mistakes, each of which a property of its scenario must notice: `npm run mutate`. */
import type { Mutant } from "../support/mutant.ts"
import { mutants as shutdown } from "./mutants/shutdown.ts"
import { mutants as time } from "./mutants/time.ts"

const pool = "packages/core/src/internal/connectionPool.ts"
const connections = "packages/core/src/internal/connections.ts"
const transport = "packages/core/src/Transport.ts"
const received = "packages/core/src/internal/received.ts"
const session = "packages/core/src/Session.ts"
const registry = "packages/core/src/SessionRegistry.ts"
const hold = "packages/core/src/internal/hold.ts"
const ledger = "packages/core/src/internal/ledger.ts"
const pump = "packages/core/src/internal/pump.ts"
const matcher = "packages/core/src/internal/matcher.ts"

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
      "((...[info, take, put]: Parameters<typeof Session.acquire<Entry, CheckoutError, never>>) => Effect.flatMap(Session.acquire(info, take, () => Effect.void), (handle) => Effect.as(Effect.addFinalizer((exit) => put(handle.value, exit)), handle)))(\n",
    rule: "taking a connection and registering its release are one step"
  },
  {
    module: "Transport",
    file: transport,
    find: "const abort = Effect.andThen(exchange.abort, Effect.suspend(discard))",
    replace: "const abort = exchange.abort",
    rule: "a connection whose answer was given up is closed"
  },
  {
    module: "Transport",
    file: transport,
    find:
      "(restore) =>\n                Effect.mapEager(connections.checkout(url, request.timeouts ?? {}, deadline, restore), (entry) => {",
    replace:
      "Effect.map(connections.checkout(url, request.timeouts ?? {}, deadline, (part) => Effect.interruptible(part)), (entry) => {",
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
    find: "    entry.at = Math.min(now + idleMillis, entry.expiresAt)\n    alarm.set(entry)",
    replace: "    entry.at = Math.min(now + idleMillis, entry.expiresAt)",
    rule: "a connection that nobody uses is closed in time"
  },
  {
    module: "Transport",
    file: connections,
    find: "    alarm.set(waiter)\n",
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
    find: "        alarm.set(progress)\n",
    replace: "",
    rule: "a head is waited for no longer than it may take"
  },
  {
    module: "Transport",
    file: transport,
    find: `reason.error.phase === "request"`,
    replace: `reason.error.phase !== "body"`,
    rule: "what may have been processed is not sent again"
  },
  {
    module: "Transport",
    file: transport,
    find: "        connections.discard(entry)\n        return Effect.flatMap(",
    replace: "        return Effect.flatMap(",
    rule: "a connection that was left before it was used again is closed"
  },
  {
    module: "Transport",
    file: transport,
    find: "            progress.entry = another\n",
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
    find:
      "Effect.uninterruptibleMask((restore) =>\n    opened(info, site, acquire, restore, (entry, value, registry, fiber) => {\n      const context = fiber.context as Context.Context<R2 | R3>",
    replace:
      "((f: (restore: Hold.Mask) => any) => Effect.suspend(() => f(Effect.interruptible)))((restore) =>\n    opened(info, site, acquire, restore, (entry, value, registry, fiber) => {\n      const context = fiber.context as Context.Context<R2 | R3>",
    rule: "use: taking and registering the release are one step"
  },
  {
    module: "Session",
    file: session,
    find:
      "Effect.uninterruptibleMask((restore) =>\n    opened(info, site, acquire, restore, (entry, value, registry, fiber) => {\n      const context = fiber.context as Context.Context<R2 | Scope.Scope>",
    replace:
      "((f: (restore: Hold.Mask) => any) => Effect.suspend(() => f(Effect.interruptible)))((restore) =>\n    opened(info, site, acquire, restore, (entry, value, registry, fiber) => {\n      const context = fiber.context as Context.Context<R2 | Scope.Scope>",
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
    file: pump,
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
  },
  {
    module: "Session",
    file: session,
    find: "        entry.state = \"open\"\n",
    replace: "",
    rule: "what was acquired can be taken by force"
  },
  {
    module: "Session",
    file: session,
    find: "Hold.region(entry, Context.add(context, Current, entry), Effect",
    replace: "Hold.region(entry, context, Effect",
    rule: "what is opened inside of a session becomes its child"
  },
  {
    module: "Session",
    file: session,
    find: "value.pull(session as Entry, Context.add(context, Current, session))",
    replace: "value.pull(session as Entry, context)",
    rule: "what is opened inside of a stream becomes its child"
  },
  {
    module: "Session",
    file: session,
    find: "acquisition(Hold.restoring(entry, restore))",
    replace: "acquisition(restore)",
    rule: "a revocation ends the part of an acquisition that waits"
  },
  {
    module: "Session",
    file: pump,
    find: "this.fiber === undefined ? Effect.void : Fiber.interrupt(this.fiber)",
    replace: "Effect.void",
    rule: "a stream that is given up gives back what it holds"
  },
  {
    module: "Session",
    file: pump,
    find: "const ended = Hold.revokedOr(entry, exit as Exit.Exit<never, E>)",
    replace: "const ended = exit as Exit.Exit<never, E>",
    rule: "a reader who waits is told of the revocation, not of an interruption"
  },
  {
    module: "Session",
    file: pump,
    find: "      if (this.reader !== undefined) return resume(Effect.void)\n",
    replace: "      if (this.stream !== undefined) return resume(Effect.void)\n",
    rule: "a stream does not run ahead of its reader"
  },
  {
    module: "Session",
    file: hold,
    find: "  if (entry.revoked !== undefined) onRevoked()\n",
    replace: "",
    rule: "a revocation that comes in the first steps of work is not lost"
  },
  {
    module: "Session",
    file: hold,
    find: "  if (entry.revoked !== undefined) return Effect.fail(entry.revoked)\n  const is",
    replace: "  const is",
    rule: "no work begins in what was revoked while it was acquired"
  },
  {
    module: "Session",
    file: hold,
    find: "if (entry.revoked === undefined || Exit.isSuccess(exit)) return exit",
    replace: "if (entry.revoked === undefined) return exit; if (Exit.isSuccess(exit)) return Exit.fail(entry.revoked)",
    rule: "a result that came before the end of a revocation stays"
  },
  {
    module: "Session",
    file: hold,
    find: "return own.length === 0 ? Exit.fail(entry.revoked) :",
    replace: "return own.length >= 0 ? Exit.fail(entry.revoked) :",
    rule: "an error of the work's own is told in spite of a revocation"
  },
  {
    module: "Session",
    file: hold,
    find: "isInterruptible ? undefined : uninterruptible",
    replace: "undefined",
    rule: "work that may not be interrupted is not, by revocations either"
  },
  {
    module: "Session",
    file: hold,
    find: "    if (!entry.isOpen) return resume(Effect.void)\n",
    replace: "    if (entry.revoked !== undefined) return resume(Effect.void)\n",
    rule: "whoever waits for a session's end waits until it has ended"
  },
  {
    module: "Session",
    file: hold,
    find: "    if (entry.revoked !== undefined) return resume(Effect.succeed(entry.revoked))\n",
    replace: "",
    rule: "who asks for a revocation after it came is told"
  },
  {
    module: "Session",
    file: registry,
    find: "{ startImmediately: true, uninterruptible: true }),\n      Fiber.join",
    replace:
      "{ startImmediately: true }),\n      (fiber) => Effect.onInterrupt(Fiber.join(fiber), () => Effect.sync(() => fiber.interruptUnsafe()))",
    rule: "a revocation goes on without who asked for it"
  },
  {
    module: "Session",
    file: registry,
    find: "Duration.millis(Math.max(0, endsAt - now()))",
    replace: "Duration.millis(Math.max(0, endsAt - now()) / 2)",
    rule: "users get as long as they were promised"
  },
  {
    module: "Session",
    file: registry,
    find: "if (!(yield* atMost(release, releaseTimeout)))",
    replace: "if (!(yield* atMost(release, Duration.infinity)))",
    rule: "a release that is stuck holds nobody up"
  },
  {
    module: "Session",
    file: registry,
    find: "while (at !== undefined && !isMarked.has(at)) at = at.parent\n        return at\n",
    replace: "return at !== undefined && isMarked.has(at) ? at : undefined\n",
    rule: "children come first also where the session between is closed"
  },
  {
    module: "Session",
    file: registry,
    find: "for (const listener of onClosed ?? []) listener()",
    replace: "onClosed",
    rule: "whoever waits for a session's end is told of it"
  },
  {
    module: "Session",
    file: registry,
    find: "      if (around !== undefined) return around\n",
    replace: "",
    rule: "nothing is opened inside of what was revoked"
  },
  {
    module: "Session",
    file: registry,
    find: "          registry.isClosed = true\n",
    replace: "",
    rule: "nothing is opened in a registry that is closed"
  },
  {
    module: "Session",
    file: registry,
    find: "tell({ _tag: \"Closed\", session: snapshot(session, now()) })",
    replace: "listeners",
    rule: "every end is told"
  },
  {
    module: "Session",
    file: ledger,
    find:
      "for (let at = session; at !== undefined; at = at.parent) if (at.revoked !== undefined) return at.revoked\n  return undefined",
    replace: "return session?.revoked",
    rule: "nothing is opened at any depth of what was revoked"
  },
  {
    module: "Session",
    file: ledger,
    find:
      "for (let at = entry.parent; at !== undefined; at = at.parent) if (sessions.has(at)) return true\n  return false",
    replace: "return entry.parent !== undefined && sessions.has(entry.parent)",
    rule: "a subtree goes on below a session in it that is closed"
  },
  {
    module: "Session",
    file: ledger,
    find: "while (at !== undefined && !at.isOpen && at.revoked === undefined) at = at.parent",
    replace: "while (at !== undefined) at = at.parent",
    rule: "what is opened inside of a session stays inside of it"
  },
  {
    module: "Session",
    file: ledger,
    find: "if (!hasAncestorIn(taken, entry) && !matches(entry)) continue",
    replace: "if (!matches(entry)) continue",
    rule: "a revocation takes what is inside as well"
  },
  {
    module: "Session",
    file: ledger,
    find: "    else entry.next.previous = entry.previous\n",
    replace: "",
    rule: "closing one session leaves the others on the ledger"
  },
  {
    module: "Session",
    file: matcher,
    find: "of(\"tenant\", entry) && ",
    replace: "",
    rule: "a revocation takes nothing of another tenant"
  },
  ...shutdown,
  ...time
]
