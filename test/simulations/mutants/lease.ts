/** Mistakes in the shell of leases. Those in the machine are in test/exhaustive/mutants/leaseMachine.ts. */
import type { Mutant } from "../../support/mutant.ts"

const module = "Lease"
const lease = "packages/core/src/Lease.ts"
const acquire = "packages/core/src/internal/lease/acquire.ts"
const hold = "packages/core/src/internal/lease/hold.ts"
const line = "packages/core/src/internal/lease/line.ts"
const steps = "packages/core/src/internal/lease/steps.ts"
const work = "packages/core/src/internal/lease/work.ts"

export const mutants: ReadonlyArray<Mutant> = [
  {
    module,
    file: hold,
    find: "    this.tenure.renewed(askedAt)\n",
    replace: "    this.tenure.renewed(this.now)\n",
    rule: "a renewed lease counts from when its renewal was sent"
  },
  {
    module,
    file: acquire,
    find: "token: answer.token }, askedAt)",
    replace: "token: answer.token }, Monotonic.millis(clock))",
    rule: "a lease counts from when its request was sent"
  },
  {
    module,
    file: hold,
    find: "      if (this.tenure.refuse()) this.endWith(\"refused\")\n",
    replace: "",
    rule: "a lease that its store does not know is lost at once"
  },
  {
    module,
    file: hold,
    find: "  get whyLost(): LeaseLost | undefined {\n    this.look()\n",
    replace: "  get whyLost(): LeaseLost | undefined {\n",
    rule: "a check looks at the clock"
  },
  {
    module,
    file: hold,
    find: "    this.renewAt(this.askedAt + this.pace)\n",
    replace: "",
    rule: "a lease that is held is renewed"
  },
  {
    module,
    file: hold,
    find: "    this.armEnd()\n    this.renewAt(askedAt + this.pace)\n    return",
    replace: "    this.armEnd()\n    return",
    rule: "a lease is renewed again and again"
  },
  {
    module,
    file: hold,
    find: "    this.renewAt(this.now + this.pause)\n",
    replace: "",
    rule: "a renewal that failed is tried again"
  },
  {
    module,
    file: hold,
    find: "    this.tenure.renewed(askedAt)\n    this.armEnd()\n",
    replace: "    this.armEnd()\n",
    rule: "a renewal makes a lease longer for its holder"
  },
  {
    module,
    file: hold,
    find: "store.release(this.grant), { store, operation: \"release\", key, millis: stepTimeout })",
    replace: "store.release(this.grant), { store, operation: \"release\", key, millis: Infinity })",
    rule: "a release never hangs"
  },
  {
    module,
    file: hold,
    find: "releaseLater(store, this.grant, ttl, stepTimeout, environment.context)",
    replace: "Effect.void",
    rule: "a release that failed is tried again"
  },
  {
    module,
    file: hold,
    find: "      if (this.tenure.release()) this.endWith(\"released\")\n",
    replace: "",
    rule: "a lease that was released is not valid"
  },
  {
    module,
    file: hold,
    find: "Effect.sync(() => waitersOf(store).wake(key))",
    replace: "Effect.void",
    rule: "a place that is released is handed on at once in its process"
  },
  {
    module,
    file: hold,
    find: "within(step, { store, operation: \"renew\", key, millis })",
    replace: "within(step, { store, operation: \"renew\", key, millis: Infinity })",
    rule: "a renewal that hangs is tried again"
  },
  {
    module,
    file: steps,
    find: "Effect.retry(step, retries)",
    replace: "    step",
    rule: "a release in the background is tried more than once"
  },
  {
    module,
    file: acquire,
    find: "{ store, operation: \"acquire\", key, millis: stepTimeout }",
    replace: "{ store, operation: \"acquire\", key, millis: Infinity }",
    rule: "a caller gets a lease or an error in time"
  },
  {
    module,
    file: acquire,
    find: "        if (mayBeGranted(exit)) this.isUnsure = true\n",
    replace: "",
    rule: "what was granted unseen is released"
  },
  {
    module,
    file: acquire,
    find: "return Exit.isSuccess(exit) ? undefined : asking.end",
    replace: "return asking.end",
    rule: "a lease that was granted at the second try is kept"
  },
  {
    module,
    file: acquire,
    find: "let mayAsk = !waiters.isAnyoneWaiting(key)",
    replace: "let mayAsk = true",
    rule: "callers of a process are served in order"
  },
  {
    module,
    file: acquire,
    find: "    mayAsk = waiter.isFirst\n",
    replace: "    mayAsk = true\n",
    rule: "only the first of a line asks the store"
  },
  {
    module,
    file: line,
    find: "    else if (wasFirst) line.head?.wake()\n",
    replace: "",
    rule: "if the first of a line leaves, it is the turn of the next"
  },
  {
    module,
    file: line,
    find: "    if (this.isWoken) return end(Effect.void)\n",
    replace: "",
    rule: "a wake is not lost"
  },
  {
    module,
    file: acquire,
    find: "      waitersOf(store).leave(settings.key, waiter)\n",
    replace: "",
    rule: "who is served leaves the line"
  },
  {
    module,
    file: work,
    find: "hold.onLost(() => fiber.interruptUnsafe())",
    replace: "hold.onLost(() => {})",
    rule: "work ends before its lease can be granted again"
  },
  {
    module,
    file: work,
    find: "return loss === undefined ? exit : besideDefects(exit, Effect.fail(loss))",
    replace: "return loss === undefined || Exit.isSuccess(exit) ? exit : besideDefects(exit, Effect.fail(loss))",
    rule: "work that outlives its lease does not succeed"
  },
  {
    module,
    file: work,
    find: "      hold.start()\n",
    replace: "",
    rule: "a lease is renewed while its work runs"
  },
  {
    module,
    file: lease,
    find: "          handle.value.start()\n",
    replace: "",
    rule: "a lease is renewed until its scope closes"
  },
  {
    module,
    file: lease,
    find: "        acquiring(settings, store),\n        (hold) => hold.release,\n",
    replace: "        acquiring(settings, store),\n        () => Effect.void,\n",
    rule: "a lease is released when its work ends"
  },
  {
    module,
    file: lease,
    find: "Session.acquire(infoOf(settings, store), acquiring(settings, store), (hold) => hold.release)",
    replace: "Session.acquire(infoOf(settings, store), acquiring(settings, store), () => Effect.void)",
    rule: "a lease is released when its scope closes"
  }
]
