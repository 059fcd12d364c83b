/** Mistakes in the shell of pools. Those in the machine are in test/exhaustive/mutants/poolMachine.ts. */
import type { Mutant } from "../../support/mutant.ts"

const module = "Pool"
const pool = "packages/core/src/Pool.ts"
const backoff = "packages/core/src/internal/pool/backoff.ts"
const borrow = "packages/core/src/internal/pool/borrow.ts"
const connect = "packages/core/src/internal/pool/connect.ts"
const core = "packages/core/src/internal/pool/core.ts"
const drain = "packages/core/src/internal/pool/drain.ts"
const invalidate = "packages/core/src/internal/pool/invalidate.ts"
const machine = "packages/core/src/internal/pool/machine.ts"
const reports = "packages/core/src/internal/pool/reports.ts"
const handOver = "packages/core/src/internal/pool/handOver.ts"
const lentWork = "packages/core/src/internal/pool/lentWork.ts"
const patience = "packages/core/src/internal/pool/patience.ts"
const queued = "packages/core/src/internal/pool/queued.ts"
const waiter = "packages/core/src/internal/pool/waiter.ts"
const waiting = "packages/core/src/internal/pool/waiting.ts"
const work = "packages/core/src/internal/pool/work.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module,
    file: waiter,
    find: "      if (this.answer === undefined) this.resume = resume\n      else resume(this.answer)\n",
    replace: "      this.resume = resume\n",
    rule: "an answer that comes before its waiter waits for it is not lost"
  },
  {
    module,
    file: core,
    find: "(effect) => runFork(effect, { uninterruptible: true })",
    replace: "(effect) => runFork(effect)",
    rule: "an item that is open when its connect is interrupted is not lost"
  },
  {
    module,
    file: work,
    find: "if (this.isStopping) return this.finish(undefined)",
    replace: "if (this.isStopping) return",
    rule: "work that ignores interruption is abandoned"
  },
  {
    module,
    file: core,
    find: "      limit: connectTimeout,\n",
    replace: "      limit: Infinity,\n",
    rule: "a connect that never ends is broken off"
  },
  {
    module,
    file: core,
    find: "      limit,\n      grace: this.settings.closeTimeout,\n",
    replace: "      limit: Infinity,\n      grace: this.settings.closeTimeout,\n",
    rule: "a check or a reset that never ends is broken off"
  },
  {
    module,
    file: core,
    find: "      limit: this.settings.closeTimeout,\n",
    replace: "      limit: Infinity,\n",
    rule: "a close that never ends is abandoned"
  },
  {
    module,
    file: core,
    find: "        this.works.stop(command.entry)\n",
    replace: "",
    rule: "what is not wanted any more is broken off"
  },
  {
    module,
    file: core,
    find: "Exit.isSuccess(exit) && exit.value !== false",
    replace: "Exit.isSuccess(exit)",
    rule: "an item whose check says that it is broken is not lent"
  },
  {
    module,
    file: core,
    find: "Exit.isSuccess(exit), this.now)",
    replace: "true, this.now)",
    rule: "an item that could not be reset is not lent"
  },
  {
    module,
    file: core,
    find: "    if (loan.isRevoked) this.perform(this.machine.end(entry, \"revoked\", now))\n",
    replace: "",
    rule: "an item whose loan was revoked is not lent again"
  },
  {
    module,
    file: core,
    find: "        this.failure = cause\n",
    replace: "",
    rule: "a waiter hears why connecting failed"
  },
  {
    module,
    file: core,
    find: "      this.perform(this.machine.closed(entry, this.now))\n",
    replace: "",
    rule: "the place of an item that is closed is free"
  },
  {
    module,
    file: core,
    find: "    this.perform(this.machine.shut())\n",
    replace: "",
    rule: "a pool that closes lends nothing"
  },
  {
    module,
    file: waiting,
    find: "if (!core.leave(waiter) && waiter.lent !== undefined) core.pass(waiter.lent)",
    replace: "core.leave(waiter)",
    rule: "a waiter that is interrupted after it was lent an item passes it on"
  },
  {
    module,
    file: waiting,
    find: "  core.patience.ended()\n  kernel.close(loan)\n",
    replace: "  core.patience.ended()\n",
    rule: "a waiter that leaves closes its session"
  },
  {
    module,
    file: waiting,
    find: "    loan.addUser(waiter.onRevoked)\n",
    replace: "",
    rule: "a waiter is told of a revocation"
  },
  {
    module,
    file: waiting,
    find: "    else patience.began(waiter)\n",
    replace: "",
    rule: "a caller waits no longer than the limit"
  },
  {
    module,
    file: lentWork,
    find: "Context.add(fiber.context as Context.Context<R>, Current, loan)",
    replace: "fiber.context as Context.Context<R>",
    rule: "a borrower works inside of its loan"
  },
  {
    module,
    file: patience,
    find: "    if (waiting !== undefined) this.began(waiting)\n",
    replace: "",
    rule: "a caller waits no longer than the limit, though another one has"
  },
  {
    module,
    file: patience,
    find: " && this.at <= waiting.at)",
    replace: ")",
    rule: "a caller waits no longer than the limit, though another one begins to wait while it passes"
  },
  {
    module,
    file: queued,
    find: "Context.add(fiber.context as Context.Context<R2>, Current, loan)",
    replace: "fiber.context as Context.Context<R2>",
    rule: "a borrower that has waited works inside of its loan"
  },
  {
    module,
    file: queued,
    find: "hasStarted ? ended(loan, kernel, exit) : Lifecycle",
    replace: "Lifecycle",
    rule: "an item is returned when the work of a caller that has waited ends"
  },
  {
    module,
    file: queued,
    find: "      if (!hasStarted && waiter !== undefined) leave(core, waiter, loan, kernel)\n      else if",
    replace: "      if",
    rule: "a caller that waits in vain leaves the line"
  },
  {
    module,
    file: queued,
    find: "Effect.andThen(Fiber.interrupt(worker), defectsOf(worker))",
    replace: "Effect.void",
    rule: "the work of a borrower that has waited ends with its caller"
  },
  {
    module,
    file: lentWork,
    find: "    end = ended(loan, kernel, exit)\n",
    replace: "    end = exit\n",
    rule: "an item is returned when its work ends"
  },
  {
    module,
    file: lentWork,
    find: "Effect.andThen(Fiber.interrupt(worker), defectsOf(worker))",
    replace: "undefined",
    rule: "the work of a borrower ends with its caller"
  },
  {
    module,
    file: handOver,
    find: "  if (steps === 0 && ready.length > 0 && !isResuming) resume()\n",
    replace: "",
    rule: "a caller that was lent an item goes on"
  },
  {
    module,
    file: borrow,
    find: "return Effect.as(Scope.addFinalizerExit(scope, close), resource)",
    replace: "return Effect.succeed(resource)",
    rule: "an item is returned with the scope of its loan"
  },
  {
    module,
    file: waiting,
    find: "    kernel.close(loan)\n    return joined",
    replace: "    return joined",
    rule: "a caller that is rejected closes its session"
  },
  {
    module,
    file: connect,
    find: "(exit) => Exit.isFailure(exit) ? Scope.close(scope, exit) : undefined",
    replace: "() => undefined",
    rule: "what an interrupted connect has acquired is released"
  },
  {
    module,
    file: drain,
    find: "Effect.andThen(revokeAll(loans, patience), emptied(core, own))",
    replace: "emptied(core, own)",
    rule: "borrowers that keep their items beyond the drain are revoked"
  },
  {
    module,
    file: drain,
    find: "core.machine.total === own.filter(",
    replace: "core.machine.count(\"busy\") === own.filter(",
    rule: "whoever closes a pool waits until its items are closed"
  },
  {
    module,
    file: drain,
    find: "Duration.millis(Math.max(0, until - core.now))",
    replace: "Duration.millis(Math.max(0, until - core.now) / 2)",
    rule: "borrowers have the whole drain to end"
  },
  {
    module,
    file: invalidate,
    find: " || !Object.is(resource.resource, item)) continue",
    replace: ") continue",
    rule: "the item that is invalidated is the one that was meant"
  },
  {
    module,
    file: pool,
    find: "core.perform(core.machine.refresh(core.now))",
    replace: "core.perform([])",
    rule: "what is lent after a refresh was opened after it"
  },
  {
    module,
    file: core,
    find: "    this.reports.leaked(loan, this.settings.limits.leakThreshold)\n",
    replace: "",
    rule: "a loan beyond the threshold is reported"
  },
  {
    module,
    file: machine,
    find: "          entry.isReported = true\n",
    replace: "",
    rule: "a loan is reported once"
  },
  {
    module,
    file: machine,
    find: "    entry.isReported = false\n",
    replace: "",
    rule: "a loan is reported though one of the same item was before"
  },
  {
    module,
    file: machine,
    find: "const at = entry.takenAt + leakThreshold",
    replace: "const at = entry.usedAt + leakThreshold",
    rule: "the time of a loan begins with the loan"
  },
  {
    module,
    file: machine,
    find: "    this.wakeBy(now + this.limits.leakThreshold)\n",
    replace: "",
    rule: "a leak is looked for in time"
  },
  {
    module,
    file: reports,
    find: "site: site === undefined ? undefined : Site.format(site)",
    replace: "site: undefined",
    rule: "a report shows the place that borrowed"
  },
  {
    module,
    file: machine,
    find: "return now < entry.expiresAt && now - entry.checkedAt <= this.limits.bypass",
    replace: "return now - entry.checkedAt <= this.limits.bypass",
    rule: "an item that has grown old while the machine was suspended is not lent"
  },
  {
    module,
    file: machine,
    find: "now < entry.expiresAt && now - entry.checkedAt <= this.limits.bypass",
    replace: "now < entry.expiresAt",
    rule: "an item that was not used or checked shortly before is checked before it is lent"
  },
  {
    module,
    file: backoff,
    find: "    this.until = now + pause * (1 - spread / 2)\n",
    replace: "    this.until = now\n",
    rule: "after a failed connect there is a pause"
  }
]
