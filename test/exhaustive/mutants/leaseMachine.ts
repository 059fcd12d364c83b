/** Mistakes in the machine of leases. */
import type { Mutant } from "../../support/mutant.ts"

const module = "LeaseMachine"
const file = "packages/core/src/internal/lease/machine.ts"

export const leaseMachine: ReadonlyArray<Mutant> = [
  {
    module,
    file,
    find: "one.expiresAt <= millis ? []",
    replace: "one.expiresAt < millis ? []",
    rule: "a lease ends when its time to live is over"
  },
  {
    module,
    file,
    find: "if (held.length >= limit) {",
    replace: "if (held.length > limit) {",
    rule: "no more hold a key than its limit"
  },
  {
    module,
    file,
    find: "const own = held.find((one) => one.id === id)",
    replace: "const own = held.find((one) => one.id === id && ttl < 0)",
    rule: "a repeated request gets the grant that it has"
  },
  {
    module,
    file,
    find: "const after = { token: state.token, held: replaced(held, prolonged(own, ttl, now)) }",
    replace: "const after = { token: state.token, held }",
    rule: "a repeated request renews the grant that it has"
  },
  {
    module,
    file,
    find: "Math.max(state.token + 1, Math.floor(now.micros))",
    replace: "Math.max(state.token, Math.floor(now.micros))",
    rule: "each token is higher than all before it, however fast they are granted"
  },
  {
    module,
    file,
    find: "Math.max(state.token + 1, Math.floor(now.micros))",
    replace: "state.token + 1",
    rule: "each token is higher than all before it, though the store has come back empty"
  },
  {
    module,
    file,
    find: "  if (now.up < ttl) return",
    replace: "  if (now.up < 0) return",
    rule: "a store that was restarted grants nothing new at first"
  },
  {
    module,
    file,
    find: "held.find((one) => one.id === id && one.token === token)",
    replace: "held.find((one) => one.id === id)",
    rule: "only its own holder renews a lease"
  },
  {
    module,
    file,
    find: "return [{ token: state.token, held: replaced(held, prolonged(own, ttl, now)) }, true]",
    replace: "return [{ token: state.token, held }, true]",
    rule: "a renewed lease lives on"
  },
  {
    module,
    file,
    find: "const held = living(state, now)\n  const own = held.find((one) => one.id === id && one.token === token)",
    replace: "const held = state.held\n  const own = held.find((one) => one.id === id && one.token === token)",
    rule: "a late renewal revives nothing"
  },
  {
    module,
    file,
    find: "one.id !== id || (token !== undefined && one.token !== token)",
    replace: "one.id !== id",
    rule: "only its own holder releases a lease"
  },
  {
    module,
    file,
    find: "one.id !== id || (token !== undefined && one.token !== token)",
    replace: "one.id !== id || one.token !== token",
    rule: "a grant that its holder does not know is released by its id"
  },
  {
    module,
    file,
    find: "this.end = askedAt + term.ttl - term.margin",
    replace: "this.end = askedAt + 2 * term.ttl",
    rule: "a holder stops before its lease can be granted again"
  },
  {
    module,
    file,
    find: "askedAt + this.term.ttl - this.term.margin",
    replace: "askedAt + 2 * this.term.ttl",
    rule: "a holder that renewed its lease stops before it can be granted again"
  },
  {
    module,
    file,
    find: "return now >= this.end && this.lose(\"expired\")",
    replace: "return now > this.end + 1 && this.lose(\"expired\")",
    rule: "a lease that was not renewed in time is lost"
  },
  {
    module,
    file,
    find: "    this.phase = phase\n",
    replace: "",
    rule: "a refused lease is lost"
  },
  {
    module,
    file,
    find: "Math.max(end, expiresAt), -Infinity)",
    replace: "Math.min(end, expiresAt), Infinity)",
    rule: "a store keeps a key until its last lease has ended"
  }
]
