import type { Mutant } from "../../support/mutant.ts"

const module = "PoolMachine"
const machine = "packages/core/src/internal/pool/machine.ts"
const census = "packages/core/src/internal/pool/census.ts"
const line = "packages/core/src/internal/pool/line.ts"
const backoff = "packages/core/src/internal/pool/backoff.ts"

export const poolMachine: ReadonlyArray<Mutant> = [
  {
    module,
    file: machine,
    find: "while (census.size < max && (",
    replace: "while (census.size <= max && (",
    rule: "opening, idle, busy, checked, reset and closing items never exceed the limit"
  },
  {
    module,
    file: machine,
    find: "      if (!this.isFresh(entry, now)) continue\n",
    replace: "",
    rule: "a caller that does not wait gets an item that was known to work not long ago"
  },
  {
    module,
    file: machine,
    find: "if (!this.isFresh(entry, now)) continue",
    replace: "if (!this.isFresh(entry, now)) break",
    rule: "a caller does not wait while an item that may be lent is below one that may not"
  },
  {
    module,
    file: machine,
    find: "return now < entry.expiresAt && now",
    replace: "return now <= entry.expiresAt && now",
    rule: "an item that is lent is younger than its lifetime"
  },
  {
    module,
    file: machine,
    find: "now - entry.checkedAt <= this.limits.bypass",
    replace: "now - entry.checkedAt <= this.limits.bypass + 1",
    rule: "an item that is lent was known to work within the bypass window"
  },
  {
    module,
    file: line,
    find: "    const waiter = this.first\n",
    replace: "    const waiter = this.last\n",
    rule: "the first waiter is served first"
  },
  {
    module,
    file: line,
    find: "if (after === undefined) this.last = before",
    replace: "if (after === undefined) this.last = undefined",
    rule: "a waiter that leaves cuts nobody off"
  },
  {
    module,
    file: line,
    find: "    if (!waiter.isWaiting) return false\n",
    replace: "",
    rule: "a waiter leaves once"
  },
  {
    module,
    file: line,
    find: "    this.length--\n",
    replace: "",
    rule: "it knows how many wait"
  },
  {
    module,
    file: machine,
    find: "(line.size > census.coming || census.lasting < min)",
    replace: "census.lasting < min",
    rule: "an item is opened for each waiter that has none on its way"
  },
  {
    module,
    file: machine,
    find: "while (line.size > census.coming) {",
    replace: "while (line.size > census.coming + 1) {",
    rule: "an idle item is checked for a waiter that has none on its way"
  },
  {
    module,
    file: machine,
    find: "(line.size > census.coming || census.lasting < min)",
    replace: "line.size > census.coming",
    rule: "the minimum is kept"
  },
  {
    module,
    file: machine,
    find: "      if (now < backoff.endsAt) {\n",
    replace: "      if (now < backoff.endsAt - 1) {\n",
    rule: "no connect begins while connecting is backed off"
  },
  {
    module,
    file: machine,
    find: "        this.wakeBy(backoff.endsAt)\n",
    replace: "",
    rule: "the shell is woken when connecting may begin again"
  },
  {
    module,
    file: machine,
    find: "      if (backoff.isFailing && census.count(\"opening\") > 0) break\n",
    replace: "",
    rule: "one connect at a time while connecting fails"
  },
  {
    module,
    file: machine,
    find: "    this.backoff.end()\n    return this.settle(",
    replace: "    return this.settle(",
    rule: "a success ends the pause of connects"
  },
  {
    module,
    file: machine,
    find: "    this.backoff.end()\n    for (const entry",
    replace: "    for (const entry",
    rule: "a refresh ends the pause of connects"
  },
  {
    module,
    file: backoff,
    find: "this.first * 2 ** this.failures",
    replace: "this.first",
    rule: "each pause is twice as long as the one before"
  },
  {
    module,
    file: backoff,
    find: "Math.min(this.most, this.first * 2 ** this.failures)",
    replace: "this.first * 2 ** (2 * this.failures)",
    rule: "no pause is longer than the longest"
  },
  {
    module,
    file: machine,
    find: "    if (entry.state !== \"busy\") return nothing\n    entry.usedAt = now\n",
    replace: "    entry.usedAt = now\n",
    rule: "an item is returned once"
  },
  {
    module,
    file: machine,
    find: "    entry.usedAt = now\n    entry.checkedAt = now\n    const end =",
    replace: "    entry.usedAt = now\n    const end =",
    rule: "an item that was used was known to work"
  },
  {
    module,
    file: machine,
    find: "entry.uses >= this.limits.maxUses",
    replace: "entry.uses > this.limits.maxUses",
    rule: "an item is not lent more often than it may be used"
  },
  {
    module,
    file: machine,
    find: "    entry.uses--\n",
    replace: "",
    rule: "a loan that was not used does not count as one"
  },
  {
    module,
    file: machine,
    find: "if (end === undefined && this.limits.isReset) {",
    replace: "if (this.limits.isReset) {",
    rule: "an item that is to end is not reset"
  },
  {
    module,
    file: machine,
    find: "if (end === undefined && this.line.size === 0) {",
    replace: "if (end === undefined) {",
    rule: "an item that is returned goes to the first waiter"
  },
  {
    module,
    file: machine,
    find: "entry.ending ?? (entry.uses >=",
    replace: "(entry.uses >=",
    rule: "an item that was invalidated while it was lent is closed when it is returned"
  },
  {
    module,
    file: machine,
    find: "return this.settle(entry, now, entry.ending)\n  }\n\n  /** An item is open.",
    replace: "return this.settle(entry, now, undefined)\n  }\n\n  /** An item is open.",
    rule: "an item that was invalidated while it was lent is closed when it is passed on"
  },
  {
    module,
    file: machine,
    find: "return this.settle(entry, now, entry.ending)\n  }\n\n  /** Connecting failed.",
    replace: "return this.settle(entry, now, undefined)\n  }\n\n  /** Connecting failed.",
    rule: "an item whose connect was aborted is closed when it is open"
  },
  {
    module,
    file: machine,
    find: "    if (entry.state !== \"opening\") return undefined\n",
    replace: "",
    rule: "an item is opened once"
  },
  {
    module,
    file: machine,
    find: "    if (entry.state !== \"opening\") return nothing\n",
    replace: "",
    rule: "a connect fails once"
  },
  {
    module,
    file: machine,
    find: "    if (entry.ending !== undefined) return this.supply(now, out)\n",
    replace: "",
    rule: "a connect that was aborted is no failure"
  },
  {
    module,
    file: machine,
    find: "if (census.lasting === census.count(\"opening\") && ",
    replace: "if (",
    rule: "a failed connect rejects no waiter that an open item can serve"
  },
  {
    module,
    file: machine,
    find: " && this.line.size > census.coming) {",
    replace: ") {",
    rule: "a failed connect rejects no waiter that another connect can serve"
  },
  {
    module,
    file: machine,
    find: "      if (waiter !== undefined) out.push({ _tag: \"Reject\", waiter, why: \"connect\" })\n",
    replace: "",
    rule: "a waiter that leaves the line for a failed connect is told"
  },
  {
    module,
    file: machine,
    find: "entry.ending ?? (isValid ? undefined : \"invalid\")",
    replace: "entry.ending",
    rule: "an item that does not work is not lent"
  },
  {
    module,
    file: machine,
    find: "    if (isValid) entry.checkedAt = now\n",
    replace: "",
    rule: "an item that works goes to the first waiter"
  },
  {
    module,
    file: machine,
    find: "entry.ending ?? (isValid ?",
    replace: "(isValid ?",
    rule: "an item that was invalidated while it was checked is closed"
  },
  {
    module,
    file: machine,
    find: "entry.ending ?? (isClean ? undefined : \"resetFailed\")",
    replace: "entry.ending",
    rule: "an item that could not be reset is not lent"
  },
  {
    module,
    file: machine,
    find: "entry.ending ?? (isClean ?",
    replace: "(isClean ?",
    rule: "an item that was invalidated while it was reset is closed"
  },
  {
    module,
    file: machine,
    find: "    this.census.remove(entry)\n    return this.supply(now, [])\n",
    replace: "    this.census.remove(entry)\n    return nothing\n",
    rule: "a place that comes free is used for a waiter"
  },
  {
    module,
    file: machine,
    find: "    if (entry.state !== \"closing\") return nothing\n",
    replace: "",
    rule: "an item is closed once"
  },
  {
    module,
    file: machine,
    find: "    this.conclude(entry, reason, out)\n    return this.supply(now, out)\n",
    replace: "    this.conclude(entry, reason, out)\n    return out\n",
    rule: "another item is put on its way for one that ends"
  },
  {
    module,
    file: machine,
    find: " || !this.census.has(entry)) return nothing",
    replace: ") return nothing",
    rule: "an item that is gone does not end again"
  },
  {
    module,
    file: machine,
    find: "if (state === \"idle\") return this.close(entry, reason, out)",
    replace: "if (state === \"idle\") return this.census.mark(entry, reason)",
    rule: "an idle item ends at once"
  },
  {
    module,
    file: machine,
    find: "    if (state !== \"busy\") out.push({ _tag: \"Abort\", entry })\n",
    replace: "",
    rule: "work on an item that ends is aborted"
  },
  {
    module,
    file: machine,
    find: "if (state !== \"busy\") out.push({ _tag: \"Abort\", entry })",
    replace: "if (state === \"busy\") this.close(entry, reason, out)\n    else out.push({ _tag: \"Abort\", entry })",
    rule: "an item in use is closed only when it is returned"
  },
  {
    module,
    file: machine,
    find: "for (const entry of this.census.entries) this.conclude(entry, \"refreshed\", out)",
    replace: "for (const entry of this.idle.slice()) this.conclude(entry, \"refreshed\", out)",
    rule: "a refresh ends what is lent, too"
  },
  {
    module,
    file: machine,
    find: "    for (const entry of this.census.entries) this.conclude(entry, \"shutdown\", out)\n",
    replace: "",
    rule: "a pool that was shut ends all its items"
  },
  {
    module,
    file: machine,
    find: "    if (this.hasShut) return out\n",
    replace: "",
    rule: "nothing is opened after the pool was shut"
  },
  {
    module,
    file: machine,
    find: "    if (this.hasShut) return \"shut\"\n",
    replace: "",
    rule: "no caller waits for a pool that was shut"
  },
  {
    module,
    file: machine,
    find: "out.push({ _tag: \"Reject\", waiter, why: \"shut\" })",
    replace: "if (waiter.before === undefined) continue",
    rule: "all waiters of a pool that was shut are rejected"
  },
  {
    module,
    file: machine,
    find: "if (line.size >= served + limits.maxWaiters)",
    replace: "if (line.size > served + limits.maxWaiters)",
    rule: "no more callers wait than may"
  },
  {
    module,
    file: machine,
    find: "census.coming + idle.length + limits.max - census.size",
    replace: "limits.max - census.size",
    rule: "a caller that an item on its way can serve is not a waiter too many"
  },
  {
    module,
    file: machine,
    find:
      "if (this.expiry(entry, now) !== undefined) this.close(entry, \"lifetime\", out)\n      else if (now >= entry.usedAt",
    replace: "if (now >= entry.usedAt",
    rule: "an idle item is closed when its lifetime has passed"
  },
  {
    module,
    file: machine,
    find: "now >= entry.usedAt + idleTimeToLive && this.census.lasting > min)",
    replace: "now >= entry.usedAt + idleTimeToLive && this.census.lasting >= min)",
    rule: "no idle item of the minimum is closed"
  },
  {
    module,
    file: machine,
    find: "now >= entry.usedAt + idleTimeToLive && this.census.lasting > min)",
    replace: "now > entry.usedAt + idleTimeToLive && this.census.lasting > min)",
    rule: "an item that was idle for too long is closed"
  },
  {
    module,
    file: machine,
    find: "      else if (now >= entry.checksAt) this.validate(entry, out)\n",
    replace: "",
    rule: "an idle item is checked from time to time"
  },
  {
    module,
    file: machine,
    find: "this.wakeBy(Math.min(entry.expiresAt, entry.checksAt, idleUntil))",
    replace: "this.wakeBy(Math.min(entry.expiresAt, idleUntil))",
    rule: "the shell is woken when an idle item is to be checked"
  },
  {
    module,
    file: machine,
    find: "this.wakeBy(Math.min(entry.expiresAt, entry.checksAt, idleUntil))",
    replace: "this.wakeBy(Math.min(entry.checksAt, idleUntil))",
    rule: "the shell is woken when an idle item is too old"
  },
  {
    module,
    file: machine,
    find: "this.wakeBy(Math.min(entry.expiresAt, entry.checksAt, idleUntil))",
    replace: "this.wakeBy(Math.min(entry.expiresAt, entry.checksAt))",
    rule: "the shell is woken when an item was idle for too long"
  },
  {
    module,
    file: machine,
    find: "    this.wakes = Infinity\n",
    replace: "",
    rule: "the next sweep is later"
  },
  {
    module,
    file: machine,
    find: "          entry.isReported = true\n",
    replace: "",
    rule: "a leak is reported once"
  },
  {
    module,
    file: machine,
    find: "    entry.isReported = false\n",
    replace: "",
    rule: "each loan that is too long is reported"
  },
  {
    module,
    file: machine,
    find: "    entry.takenAt = now\n",
    replace: "",
    rule: "a leak is a loan that is too long"
  },
  {
    module,
    file: machine,
    find: "    this.wakeBy(now + this.limits.leakThreshold)\n",
    replace: "",
    rule: "the shell is woken when a loan is too long"
  },
  {
    module,
    file: machine,
    find: "else if (this.line.size > 0 && this.isFresh(entry, now)) this",
    replace: "else if (this.line.size > 0) this",
    rule: "a waiter gets an item that was known to work not long ago"
  },
  {
    module,
    file: machine,
    find: "    while (at > 0 && (idle[at - 1] as Entry<R>).usedAt > entry.usedAt) at--\n",
    replace: "",
    rule: "the item that was used last is lent first"
  },
  {
    module,
    file: machine,
    find: "    if (entry.state !== \"validating\") return nothing\n",
    replace: "",
    rule: "a check ends once"
  },
  {
    module,
    file: machine,
    find: "    if (entry.state !== \"resetting\") return nothing\n",
    replace: "",
    rule: "a reset ends once"
  },
  {
    module,
    file: machine,
    find: "    this.unrest(entry)\n    this.census.mark(entry, reason)\n",
    replace: "    this.census.mark(entry, reason)\n",
    rule: "an item that is closed is not lent"
  },
  {
    module,
    file: census,
    find: "    if (entry.ending !== undefined) return\n",
    replace: "",
    rule: "the first reason why an item ends stays"
  },
  {
    module,
    file: census,
    find: "    if (isUnderWay(entry.state)) this.onTheWay--\n    entry.ending",
    replace: "    entry.ending",
    rule: "an item that is to end is not on its way to a waiter"
  },
  {
    module,
    file: census,
    find: "    if (ending === undefined && isUnderWay(state)) this.onTheWay--\n",
    replace: "",
    rule: "an item that has arrived is not on its way any more"
  },
  {
    module,
    file: census,
    find: "    if (entry.ending === undefined && isUnderWay(state)) this.onTheWay++\n",
    replace: "",
    rule: "an item that is checked or reset is on its way to a waiter"
  },
  {
    module,
    file: census,
    find: "return this.all.size - this.counts.closing",
    replace: "return this.all.size",
    rule: "an item that is closed does not count for the minimum"
  },
  {
    module,
    file: census,
    find: "    this.counts[state]--\n",
    replace: "    if (state !== \"opening\") this.counts[state]--\n",
    rule: "each item is counted once, in its state"
  },
  {
    module,
    file: machine,
    find: "return this.census.size === 0 && this.line.size === 0",
    replace: "return this.line.size === 0",
    rule: "it is empty when nothing is left of it"
  }
]
