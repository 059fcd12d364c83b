/** Mistakes in the machines, one for each rule, that the enumeration must detect: `npm run mutate`. */
import type { Mutant } from "../support/mutant.ts"
import { leaseMachine } from "./mutants/leaseMachine.ts"
import { poolMachine } from "./mutants/poolMachine.ts"

const pool = "packages/core/src/internal/transport/machine.ts"
const stopping = "packages/core/src/internal/shutdown/machine.ts"
const call = "packages/core/src/internal/retry/call.ts"
const rules = "packages/core/src/internal/retry/rules.ts"
const budget = "packages/core/src/internal/retry/budget.ts"
const ledger = "packages/core/src/internal/session/ledger.ts"
const tenants = "packages/core/src/internal/session/tenants.ts"
const record = "packages/core/src/internal/session/record.ts"
const roster = "packages/core/src/internal/tasks/machine.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module: "ConnectionPool",
    file: pool,
    find: "if (this.total >= this.max) return undefined",
    replace: "if (this.total > this.max) return undefined",
    rule: "opening, idle, busy and closing connections never exceed the limit"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "if (waiter.until <= now) continue",
    replace: "if (waiter.until < now) continue",
    rule: "who is out of time is passed over"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "for (const waiter of this.waiters) {",
    replace: "for (const waiter of [...this.waiters].reverse()) {",
    rule: "who has waited longest is served first"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "      this.waiters.delete(waiter)\n",
    replace: "",
    rule: "who is served leaves the queue"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "if (waiter !== undefined) return { waiter, grant: { _tag: \"Reuse\", connection } }",
    replace:
      "if (waiter !== undefined && this.idle.length > 0) return { waiter, grant: { _tag: \"Reuse\", connection } }",
    rule: "nobody waits while a connection is idle"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "    if (waiter !== undefined) return { waiter, grant: open }\n    this.total--",
    replace: "    this.total--\n    if (waiter !== undefined) return { waiter, grant: open }",
    rule: "room that is handed on stays taken"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "    if (connection !== undefined) this.retire(connection)\n",
    replace: "",
    rule: "what is gone is not idle any more"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "const connection = this.idle.pop()",
    replace: "const connection = this.idle.shift()",
    rule: "the connection used last is reused first"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "if (this.waiters.size >= this.maxWaiting) return false",
    replace: "if (this.waiters.size > this.maxWaiting) return false",
    rule: "no more wait than may"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "    this.waiters.clear()\n",
    replace: "",
    rule: "who is turned away waits no longer"
  },
  {
    module: "ConnectionPool",
    file: pool,
    find: "return this.total === 0 && this.waiters.size === 0",
    replace: "return this.total === 0",
    rule: "it is empty when nothing is left of it"
  },
  {
    module: "Roster",
    file: roster,
    find: "const isFree = this.running < this.concurrency",
    replace: "const isFree = this.running <= this.concurrency",
    rule: "no more run than may"
  },
  {
    module: "Roster",
    file: roster,
    find: "this.present.size - this.running >= this.capacity",
    replace: "this.present.size - this.running > this.capacity",
    rule: "no more wait than may"
  },
  {
    module: "Roster",
    file: roster,
    find: "    for (const next of this.present) {",
    replace: "    for (const next of [...this.present].reverse()) {",
    rule: "a place that comes free goes to who has waited longest"
  },
  {
    module: "Roster",
    file: roster,
    find: "    if (!hasRun) return undefined\n",
    replace: "",
    rule: "nobody is let in for one who only waited"
  },
  {
    module: "Roster",
    file: roster,
    find: "    seat.state = \"left\"\n",
    replace: "",
    rule: "each place knows its state"
  },
  {
    module: "Roster",
    file: roster,
    find: "if (this.isClosed) return \"closed\"",
    replace: "if (this.isClosed && this.running > 0) return \"closed\"",
    rule: "once it is closed, nobody enters"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "at < rank(\"interrupt\"))",
    replace: "at <= rank(\"interrupt\"))",
    rule: "nothing is admitted once work is interrupted"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "return at < rank(\"stop\")",
    replace: "return at <= rank(\"stop\")",
    rule: "nothing new is admitted once admission has stopped"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "inside !== undefined && this.inFlight.has(inside) ? inside : undefined)",
    replace: "inside)",
    rule: "what begins inside of work that has ended stands by itself"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "if (!this.inFlight.delete(ticket)) return false",
    replace: "this.inFlight.delete(ticket)",
    rule: "work leaves once"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "    if (ticket.isAwaited) this.awaited--\n    if (this.at",
    replace: "    this.awaited--\n    if (this.at",
    rule: "what is excused is not counted again when it leaves"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "at !== undefined; at = at.parent",
    replace: "at === ticket && at !== undefined; at = at.parent",
    rule: "what is around work that waits for the shutdown is excused with it"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "this.isAwaited = parent?.isAwaited ?? true",
    replace: "this.isAwaited = true",
    rule: "what begins inside of excused work is excused"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "    this.interrupted = []\n    return left",
    replace: "    return left",
    rule: "what has left is counted once"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "if (this.at === \"running\") return true",
    replace: "",
    rule: "only what leaves during a shutdown is counted"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "rank(registration.phase) <= rank(this.at)",
    replace: "rank(registration.phase) < rank(this.at)",
    rule: "a finalizer is registered until its phase begins"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "    for (const registration of taken) this.registered.delete(registration)\n",
    replace: "",
    rule: "what a phase has taken is gone"
  },
  {
    module: "Stopping",
    file: stopping,
    find: ".toReversed()",
    replace: "",
    rule: "the last finalizer is taken first"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "if (this.at !== \"running\") return false",
    replace: "",
    rule: "a shutdown begins once"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "      this.isHurried = true\n",
    replace: "",
    rule: "a second request skips unready and drain"
  },
  {
    module: "Stopping",
    file: stopping,
    find: "return this.hasBeenAbandoned || (",
    replace: "return (this.hasBeenAbandoned && phase !== \"close\") || (",
    rule: "a third request skips all that is left"
  },
  {
    module: "RetryCall",
    file: budget,
    find: "if (this.tokens < whole) return false",
    replace: "if (this.tokens <= 0) return false",
    rule: "retries never exceed the reserve and what successes allow"
  },
  {
    module: "RetryCall",
    file: budget,
    find: "this.tokens = Math.min(this.full, this.tokens + this.gain)",
    replace: "this.tokens += this.gain",
    rule: "successes save up no more than the reserve"
  },
  {
    module: "RetryCall",
    file: budget,
    find: "this.tokens = Math.min(this.full, this.tokens + whole)",
    replace: "this.tokens += whole",
    rule: "what is given back fills the budget no further than the reserve"
  },
  {
    module: "RetryCall",
    file: call,
    find: "    if (this.isPaid) this.policy.budget.refund()\n",
    replace: "",
    rule: "who leaves gives back what it took for a retry"
  },
  {
    module: "RetryCall",
    file: call,
    find: "    this.isPaid = false\n  }\n\n  private remaining",
    replace: "  }\n\n  private remaining",
    rule: "who comes back pays again for what was given back"
  },
  {
    module: "RetryCall",
    file: call,
    find: "    this.isPaid = false\n    this.attempts++",
    replace: "    this.attempts++",
    rule: "a retry that has begun is paid for"
  },
  {
    module: "RetryCall",
    file: call,
    find: "if (deadline !== undefined && !hasTime(this.policy.rules, this.remaining(fiber))) {",
    replace:
      "if (deadline !== undefined && this.last === undefined && !hasTime(this.policy.rules, this.remaining(fiber))) {",
    rule: "no attempt begins without the time for it"
  },
  {
    module: "RetryCall",
    file: rules,
    find: "if (attempts >= rules.attempts) return end(\"attempts\")",
    replace: "if (attempts > rules.attempts) return end(\"attempts\")",
    rule: "no call makes more attempts than its policy allows"
  },
  {
    module: "RetryCall",
    file: rules,
    find: "if (!maySend) return end(\"unanswered\")",
    replace: "",
    rule: "what may have been processed is not sent twice"
  },
  {
    module: "RetryCall",
    file: rules,
    find: "if (advice?.reach === \"delivered\") return end(\"delivered\")",
    replace: "",
    rule: "nothing is tried again once output was delivered"
  },
  {
    module: "RetryCall",
    file: rules,
    find: "if (retryAfter > rules.maxRetryAfter) return end(\"retryAfter\")",
    replace: "",
    rule: "no longer wait is accepted than the policy says"
  },
  {
    module: "RetryCall",
    file: rules,
    find: "const millis = retryAfter + failed.draw *",
    replace: "const millis = failed.draw *",
    rule: "nobody comes back sooner than was asked for"
  },
  {
    module: "RetryCall",
    file: rules,
    find: "const backoff = Math.min(rules.max, rules.base * 2 ** Math.min(attempts - 1, 50))",
    replace: "const backoff = rules.base * 4 ** Math.min(attempts - 1, 50)",
    rule: "a wait is no longer than the policy says"
  },
  {
    module: "RetryCall",
    file: rules,
    find: "millis: hasTime(rules, remaining - whole) ? whole : millis",
    replace: "millis: whole",
    rule: "a wait leaves the time that an attempt needs"
  },
  {
    module: "Ledger",
    file: record,
    find: "  while (at !== undefined && !at.isOpen) at = at.parent\n  return at\n",
    replace: "  return at\n",
    rule: "a session keeps none that was closed around it"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "if (!(record instanceof SessionRecord) || record.ledger !== this || !record.isOpen) return false",
    replace: "if (!(record instanceof SessionRecord)) return false",
    rule: "a session closes once"
  },
  {
    module: "Ledger",
    file: tenants,
    find: "if (--count.all === 0) this.counts.delete(tenant)",
    replace: "if (count.all > 1) count.all--",
    rule: "a tenant's count goes back to nothing"
  },
  {
    module: "Ledger",
    file: tenants,
    find: "count.byKind.set(kind, left)",
    replace: "count.byKind.set(kind, left + 1)",
    rule: "a tenant's count of a kind falls when one closes"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "    entry[\"count\"].closed++\n",
    replace: "",
    rule: "each kind is counted when it closes"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "      slot[\"slot\"] = to\n",
    replace: "",
    rule: "a session knows its place after room was made"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "    slots.length = to\n",
    replace: "",
    rule: "making room leaves nothing twice"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "if (!this.isInside(taken, entry) && !matches(entry)) return",
    replace: "if (!matches(entry)) return",
    rule: "everything inside of what is revoked is revoked"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "while (at !== undefined && (at.ledger !== this || !at.isOpen)) at = at.parent",
    replace: "",
    rule: "what is inside of a closed session belongs to what is around that"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "      entry[\"revoke\"](reason)\n",
    replace: "      if (!entry.isRevoked && taken.size === 1) entry[\"revoke\"](reason)\n",
    rule: "what is taken says that it was revoked"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "(typeof slot === \"object\" ? slot.id : slot ?? 0) < id",
    replace: "(typeof slot === \"object\" ? slot.id : slot ?? 0) <= id",
    rule: "it finds what is open"
  },
  {
    module: "Ledger",
    file: ledger,
    find: "typeof slot === \"object\" && slot.tally === tally) return slot.openedAt",
    replace: "typeof slot === \"object\") return slot.openedAt",
    rule: "it knows the oldest of a kind"
  },
  {
    module: "Ledger",
    file: record,
    find: "    revocations++\n",
    replace: "",
    rule: "nothing is opened inside of what is revoked"
  },
  {
    module: "Ledger",
    file: record,
    find: "  while (at !== undefined && !sessions.has(at)) at = at.parent\n  return at",
    replace: "  return at",
    rule: "it knows which of several is around"
  },
  ...leaseMachine,
  ...poolMachine
]
