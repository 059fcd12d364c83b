/** Mistakes, each of which must break a property of its scenario: `npm run mutate`. */
import type { Mutant } from "../support/mutant.ts"
import { mutants as compaction } from "./mutants/compaction.ts"
import { mutants as conversation } from "./mutants/conversation.ts"
import { mutants as conversationStore } from "./mutants/conversationStore.ts"
import { mutants as embeddings } from "./mutants/embeddings.ts"
import { mutants as keyedPool } from "./mutants/keyedPool.ts"
import { mutants as lease } from "./mutants/lease.ts"
import { mutants as pool } from "./mutants/pool.ts"
import { mutants as requestScope } from "./mutants/requestScope.ts"
import { mutants as shutdown } from "./mutants/shutdown.ts"
import { mutants as target } from "./mutants/target.ts"
import { mutants as time } from "./mutants/time.ts"
import { mutants as transport } from "./mutants/transport.ts"

const session = "packages/core/src/Session.ts"
const use = "packages/core/src/internal/session/use.ts"
const registry = "packages/core/src/SessionRegistry.ts"
const hold = "packages/core/src/internal/session/lifecycle.ts"
const ledger = "packages/core/src/internal/session/ledger.ts"
const tenants = "packages/core/src/internal/session/tenants.ts"
const release = "packages/core/src/internal/session/release.ts"
const forceRelease = "packages/core/src/internal/session/forceRelease.ts"
const pump = "packages/core/src/internal/session/streamFiber.ts"
const matcher = "packages/core/src/internal/session/filter.ts"
const open = "packages/core/src/internal/session/open.ts"
const stream = "packages/core/src/internal/session/sessionStream.ts"
const record = "packages/core/src/internal/session/record.ts"
const kernel = "packages/core/src/internal/session/kernel.ts"
const changes = "packages/core/src/internal/session/changes.ts"
const revoke = "packages/core/src/internal/session/revoke.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "Session",
    file: open,
    find: "kernel.close(record)\n      return Effect.failCause(cause)",
    replace: "return Effect.failCause(cause)",
    rule: "a session that acquired nothing is closed"
  },
  {
    module: "Session",
    file: use,
    find: "Effect.uninterruptibleMask((restore) =>\n    Effect.withFiber((fiber) =>\n",
    replace:
      "((f: (restore: Lifecycle.Mask) => any) => Effect.suspend(() => f(Effect.interruptible)))((restore) =>\n    Effect.withFiber((fiber) =>\n",
    rule: "use: taking and registering the release are one step"
  },
  {
    module: "Session",
    file: session,
    find: "Effect.uninterruptibleMask((restore) =>\n    Effect.withFiber((fiber) => {\n",
    replace:
      "((f: (restore: Lifecycle.Mask) => any) => Effect.suspend(() => f(Effect.interruptible)))((restore) =>\n    Effect.withFiber((fiber) => {\n",
    rule: "acquire: taking and registering the release are one step"
  },
  {
    module: "Session",
    file: session,
    find: "Effect.as(Scope.addFinalizerExit(scope, close), new Acquired(record, value, close))",
    replace: "Effect.succeed(new Acquired(record, value, close))",
    rule: "what was acquired is released with its scope"
  },
  {
    module: "Session",
    file: release,
    find: "Effect.retry(next, releaseRetry)",
    replace: "next",
    rule: "a release that fails is tried again"
  },
  {
    module: "Session",
    file: stream,
    find: "    Lifecycle.interruptWhenRevoked(this.record, fiber)\n",
    replace: "",
    rule: "a stream that is revoked fails with SessionRevoked"
  },
  {
    module: "Session",
    file: hold,
    find: "if (record.state === \"releasing\") {",
    replace: "if (record.state === \"closed\") {",
    rule: "exactly one release"
  },
  {
    module: "Session",
    file: release,
    find: "      fiber.setContext(outer)\n      leave()\n",
    replace: "      fiber.setContext(outer)\n",
    rule: "a session that was released is off the ledger"
  },
  {
    module: "Session",
    file: hold,
    find: "if (others.length === 0) return Exit.fail(record.revoked)",
    replace: "if (others.length === 0) return exit",
    rule: "revocation is a typed error, never a bare interruption"
  },
  {
    module: "Session",
    file: hold,
    find: "const interrupted = Effect.andThen(turning(Fiber.interrupt(fiber)), defectsOf(fiber))",
    replace: "const interrupted = Effect.void",
    rule: "work does not outlive its session"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "  const ready = [...records].filter((record) => !inside.has(record))",
    replace: "  const ready = [...records]; inside.clear()",
    rule: "children are taken back before their parent"
  },
  {
    module: "Session",
    file: revoke,
    find: "for (const record of [...marked].toReversed()) Lifecycle.interruptUsers(record)",
    replace: "{}",
    rule: "users are told before anything is taken from them"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "Lifecycle.close(record, Exit.fail(record.revoked), options.leave)",
    replace: "Effect.void",
    rule: "who does not let go in time is released under"
  },
  {
    module: "Session",
    file: kernel,
    find: "return tenants.size(tenant) < limit ?",
    replace: "return tenants.size(tenant) <= 2 * limit ?",
    rule: "no tenant exceeds its quota"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "      : Lifecycle.closed(record)\n",
    replace: "      : Effect.void\n",
    rule: "a parent is not taken from under a child that is being acquired"
  },
  {
    module: "Session",
    file: ledger,
    find: "      taken.add(entry)\n",
    replace: "      if (!entry.isRevoked) taken.add(entry)\n",
    rule: "a revocation under way elsewhere is waited for"
  },
  {
    module: "Session",
    file: tenants,
    find: "if (--count.all === 0) this.counts.delete(tenant)",
    replace: "if (--count.all >= 0) this.counts.delete(tenant)",
    rule: "a tenant's count is the count of its sessions"
  },
  {
    module: "Session",
    file: record,
    find: "    this.phase = \"open\"\n",
    replace: "",
    rule: "what was acquired can be taken by force"
  },
  {
    module: "Session",
    file: use,
    find: "Lifecycle.region(record, Context.add(context, Current, record), Effect",
    replace: "Lifecycle.region(record, context, Effect",
    rule: "what is opened inside of a session becomes its child"
  },
  {
    module: "Session",
    file: stream,
    find: "      Context.add(Current, record),\n",
    replace: "",
    rule: "what is opened inside of a stream becomes its child"
  },
  {
    module: "Session",
    file: open,
    find: "acquisition(Lifecycle.restoring(record, restore))",
    replace: "acquisition(restore)",
    rule: "a revocation ends the part of an acquisition that waits"
  },
  {
    module: "Session",
    file: pump,
    find: ": Effect.andThen(Fiber.interrupt(fiber), Effect.suspend(() => this.defects(fiber)))",
    replace: ": Effect.void",
    rule: "a stream that is given up gives back what it holds"
  },
  {
    module: "Session",
    file: pump,
    find:
      "    this.isEnding = true\n    this.onEnding?.()\n    const { fiber } = this\n    if (fiber === undefined) {\n      this.finish(Exit.interrupt())\n",
    replace: "    const { fiber } = this\n    if (fiber === undefined) {\n",
    rule: "a stream does not start in a scope that has closed"
  },
  {
    module: "Session",
    file: session,
    find: "tokenOf(fiber) ?? pull",
    replace: "scope",
    rule: "a reader is known by its pull"
  },
  {
    module: "Session",
    file: stream,
    find: "return Lifecycle.revokedOr(this.record, end)",
    replace: "return end",
    rule: "a reader who waits is told of the revocation, not of an interruption"
  },
  {
    module: "Session",
    file: pump,
    find: "    if (this.reader !== undefined) return resume(Effect.void)\n",
    replace: "    if (this.stream !== undefined) return resume(Effect.void)\n",
    rule: "a stream does not run ahead of its reader"
  },
  {
    module: "Session",
    file: pump,
    find: "    this.interrupted = weakly(this.waiting)\n",
    replace: "",
    rule: "a reader that is lost before the session of its stream opens is noticed"
  },
  {
    module: "Session",
    file: hold,
    find: "  if (record.isRevoked) fiber.interruptUnsafe()\n",
    replace: "",
    rule: "a revocation that comes in the first steps of work is not lost"
  },
  {
    module: "Session",
    file: hold,
    find: "  if (record.revoked !== undefined) return Effect.fail(record.revoked)\n  const isDeep",
    replace: "  const isDeep",
    rule: "no work begins in what was revoked while it was acquired"
  },
  {
    module: "Session",
    file: hold,
    find: "if (record.revoked === undefined || Exit.isSuccess(exit)) return exit",
    replace:
      "if (record.revoked === undefined) return exit; if (Exit.isSuccess(exit)) return Exit.fail(record.revoked)",
    rule: "a result that came before the end of a revocation stays"
  },
  {
    module: "Session",
    file: hold,
    find: "if (others.length === 0) return Exit.fail(record.revoked)",
    replace: "if (others.length >= 0) return Exit.fail(record.revoked)",
    rule: "an error of the work's own is told in spite of a revocation"
  },
  {
    module: "Session",
    file: hold,
    find: "own.filter((reason) => !isRevocation(reason))",
    replace: "own.filter(() => true)",
    rule: "work hears of the revocation of its own session, not of one inside"
  },
  {
    module: "Session",
    file: hold,
    find: "end !== undefined || isInterruptible(restore) ? undefined : uninterruptible",
    replace: "undefined",
    rule: "work that may not be interrupted is not, by revocations either"
  },
  {
    module: "Session",
    file: release,
    find: "    releasing.begin()\n",
    replace: "",
    rule: "a release opens what it needs"
  },
  {
    module: "Session",
    file: ledger,
    find: "      if (entry.release?.isOfAny(taken) === true) return\n",
    replace: "",
    rule: "what a release has opened is its own"
  },
  {
    module: "Session",
    file: hold,
    find: "const open = records.filter(({ isOpen }) => isOpen)",
    replace: "const open = records.filter(({ isOpen, isRevoked }) => isOpen && !isRevoked)",
    rule: "whoever waits for a session's end waits until it has ended"
  },
  {
    module: "Session",
    file: hold,
    find: "    if (record.isRevoked) return void onRevoked()\n",
    replace: "",
    rule: "who asks for a revocation after it came is told"
  },
  {
    module: "Session",
    file: revoke,
    find: "{ startImmediately: true, uninterruptible: true }),\n    Fiber.join",
    replace:
      "{ startImmediately: true }),\n    (fiber) => Effect.onInterrupt(Fiber.join(fiber), () => Effect.sync(() => fiber.interruptUnsafe()))",
    rule: "a revocation goes on without who asked for it"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "atMost(Lifecycle.allClosed([...marked]), options.grace)",
    replace: "atMost(Lifecycle.allClosed([...marked]), \"10 millis\" as any)",
    rule: "users get as long as they were promised"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "runFork(endsIn(fiber, options.patience))",
    replace: "runFork(endsIn(fiber, \"Infinity\" as any))",
    rule: "a release that is stuck holds nobody up"
  },
  {
    module: "Session",
    file: record,
    find: "while (at !== undefined && !sessions.has(at)) at = at.parent\n  return at\n",
    replace: "return at !== undefined && sessions.has(at) ? at : undefined\n",
    rule: "children come first also where the session between is closed"
  },
  {
    module: "Session",
    file: kernel,
    find: "for (const listener of waiting) listener()",
    replace: "waiting",
    rule: "whoever waits for a session's end is told of it"
  },
  {
    module: "Session",
    file: kernel,
    find: "    if (around !== undefined) return around\n",
    replace: "",
    rule: "nothing is opened inside of what was revoked"
  },
  {
    module: "Session",
    file: registry,
    find: "          kernelOf(registry).shut()\n",
    replace: "",
    rule: "nothing is opened in a registry that is closed"
  },
  {
    module: "Session",
    file: changes,
    find: "this.tell({ _tag: \"Closed\", session: snapshot(record, now()) })",
    replace: "this.listeners",
    rule: "every end is told"
  },
  {
    module: "Session",
    file: record,
    find: "      if (at.isRevoked) return at.revoked\n      at = at.around\n",
    replace: "      return at.revoked\n",
    rule: "nothing is opened at any depth of what was revoked"
  },
  {
    module: "Session",
    file: ledger,
    find: "while (at !== undefined && (at.ledger !== this || !at.isOpen)) at = at.parent\n    return",
    replace: "return",
    rule: "a subtree goes on below a session in it that is closed"
  },
  {
    module: "Session",
    file: record,
    find: "  while (at !== undefined && !at.isOpen) at = at.parent\n  return at\n",
    replace: "  while (at !== undefined) at = at.parent\n  return at\n",
    rule: "what is opened inside of a session stays inside of it"
  },
  {
    module: "Session",
    file: ledger,
    find: "if (!this.isInside(taken, entry) && !matches(entry)) return",
    replace: "if (!matches(entry)) return",
    rule: "a revocation takes what is inside as well"
  },
  {
    module: "Session",
    file: ledger,
    find: "    slots[entry[\"slot\"]] = entry.id\n",
    replace: "    slots.splice(entry[\"slot\"], 1)\n",
    rule: "closing one session leaves the others on the ledger"
  },
  {
    module: "Session",
    file: matcher,
    find: "of(\"tenant\", record) && ",
    replace: "",
    rule: "a revocation takes nothing of another tenant"
  },
  {
    module: "Session",
    file: ledger,
    find: "      slot[\"slot\"] = to\n",
    replace: "",
    rule: "a session is found again after room was made"
  },
  {
    module: "Session",
    file: ledger,
    find: "if (slots.length > 2 * --this.length + spare) this.compact()",
    replace: "if (slots.length > 2 * --this.length + spare) slots.length = this.length",
    rule: "making room leaves the open ones on the ledger"
  },
  {
    module: "Session",
    file: ledger,
    find: "< id) low = middle + 1",
    replace: "<= id) low = middle + 1",
    rule: "a session is found by its id"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "      if (others === 0) ready.push(around)\n",
    replace: "      if (others < 0) ready.push(around)\n",
    rule: "a parent's turn comes when its children are closed"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "    if (!isClosed) options.onStuck(record)\n",
    replace: "",
    rule: "what is stuck is said to be"
  },
  {
    module: "Session",
    file: forceRelease,
    find: "new Set([...marked].filter(({ isOpen }) => isOpen))",
    replace: "new Set<SessionRecord>()",
    rule: "what is held past the deadline is taken"
  },
  {
    module: "Session",
    file: release,
    find: "again(record, cause, () => attempt(held, exit))",
    replace: "Effect.void",
    rule: "a release that dies is not hidden"
  },
  {
    module: "Session",
    file: release,
    find: "      fiber.setContext(outer)\n      leave()\n",
    replace: "      leave()\n",
    rule: "a release's context ends with it"
  },
  {
    module: "Session",
    file: hold,
    find: "isWithin(record) === true ? Effect.void : closed(record)",
    replace: "isWithin(record) === true ? Effect.void : Effect.void",
    rule: "who comes second waits for the release"
  },
  ...compaction,
  ...requestScope,
  ...shutdown,
  ...time,
  ...conversation,
  ...conversationStore,
  ...embeddings,
  ...keyedPool,
  ...pool,
  ...lease,
  ...transport,
  ...target
]
