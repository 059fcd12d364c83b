import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Stopping, type Ticket } from "../../src/internal/shutdown/machine.ts"
import { type Phase, phases, type State } from "../../src/internal/shutdown/phases.ts"

type Step =
  | { readonly _tag: "Admit"; readonly inside: number | undefined }
  | { readonly _tag: "Leave"; readonly nth: number; readonly isInterrupted: boolean }
  | { readonly _tag: "Excuse"; readonly nth: number }
  | { readonly _tag: "Register"; readonly phase: Phase }
  | { readonly _tag: "Withdraw"; readonly nth: number }
  | { readonly _tag: "Begin" | "Escalate" | "Next" | "Take" }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ _tag: fc.constant("Admit" as const), inside: fc.option(fc.nat(20), { nil: undefined }) }),
  fc.record({ _tag: fc.constant("Leave" as const), nth: fc.nat(40), isInterrupted: fc.boolean() }),
  fc.record({ _tag: fc.constant("Excuse" as const), nth: fc.nat(40) }),
  fc.record({ _tag: fc.constant("Register" as const), phase: fc.constantFrom(...phases) }),
  fc.record({ _tag: fc.constant("Withdraw" as const), nth: fc.nat(20) }),
  fc.record({ _tag: fc.constantFrom("Begin" as const, "Escalate" as const, "Next" as const, "Take" as const) })
)

const steps = fc.array(step, { maxLength: 120, size: "max" })
const order: ReadonlyArray<State> = ["running", ...phases, "done"]
const at = (state: State) => order.indexOf(state)

const apply = (stopping: Stopping<number, number>, steps: ReadonlyArray<Step>, observe: (before: State) => void) => {
  const tickets: Array<Ticket<number>> = []
  const left = new Set<Ticket<number>>()
  const registered: Array<{ readonly phase: Phase; readonly finalizer: number }> = []
  const settled = new Set<number>()
  let finalizers = 0
  for (const step of steps) {
    const before = stopping.state
    switch (step._tag) {
      case "Admit": {
        const inside = step.inside === undefined ? undefined : tickets[step.inside]
        const isInside = inside !== undefined && !left.has(inside)
        const mayBegin = at(before) < at("stop") || (isInside && at(before) < at("interrupt"))
        const ticket = stopping.admit(tickets.length, inside)
        assert.strictEqual(ticket !== undefined, mayBegin)
        if (ticket !== undefined) tickets.push(ticket)
        break
      }
      case "Leave": {
        const ticket = tickets[step.nth]
        if (ticket === undefined) break
        assert.strictEqual(stopping.leave(ticket, step.isInterrupted), !left.has(ticket))
        left.add(ticket)
        break
      }
      case "Excuse":
        stopping.excuse(tickets[step.nth])
        break
      case "Register": {
        const registration = { phase: step.phase, finalizer: finalizers++ }
        const isTaken = stopping.register(registration)
        assert.strictEqual(isTaken, at(step.phase) > at(before))
        if (isTaken) registered.push(registration)
        break
      }
      case "Withdraw": {
        const registration = registered[step.nth]
        if (registration === undefined) break
        assert.strictEqual(stopping.withdraw(registration), !settled.has(registration.finalizer))
        settled.add(registration.finalizer)
        break
      }
      case "Take": {
        const taken = stopping.take()
        const due = registered.filter(({ finalizer, phase }) => phase === before && !settled.has(finalizer))
        assert.deepStrictEqual(taken, due.map(({ finalizer }) => finalizer).toReversed())
        for (const finalizer of taken) settled.add(finalizer)
        break
      }
      case "Begin":
        assert.strictEqual(stopping.begin(), before === "running")
        break
      case "Escalate":
        stopping.escalate()
        break
      case "Next":
        stopping.next()
        break
    }
    observe(before)
    const live = tickets.filter((ticket) => !left.has(ticket))
    assert.deepStrictEqual(stopping.live, live.map(({ work }) => work))
    assert.strictEqual(stopping.isDrained, live.every(({ isAwaited }) => !isAwaited))
  }
  return { tickets, left }
}

describe("The machine of a shutdown", () => {
  it("only goes forward, one phase at a time, and ends", () => {
    fc.assert(fc.property(steps, (steps) => {
      const stopping = new Stopping<number, number>()
      apply(stopping, steps, (before) => {
        assert.include([0, 1], at(stopping.state) - at(before))
      })
      for (let i = 0; i < order.length; i++) stopping.next()
      assert.strictEqual(stopping.state, "done")
    }))
  })

  it("counts work that leaves during a shutdown once, as ended or as interrupted", () => {
    fc.assert(fc.property(steps, (steps) => {
      const stopping = new Stopping<number, number>()
      stopping.begin()
      const { left } = apply(stopping, steps, () => {})
      const { ended, interrupted } = stopping.takeLeft()
      assert.strictEqual(ended + interrupted.length, left.size)
      assert.strictEqual(new Set(interrupted).size, interrupted.length)
      assert.deepStrictEqual(stopping.takeLeft(), { ended: 0, interrupted: [] })
    }))
  })

  it("is begun or joined by the first escalation, hurried by the second, abandoned by the third", () => {
    fc.assert(fc.property(fc.boolean(), fc.integer({ min: 1, max: 5 }), (hasBegun, requests) => {
      const stopping = new Stopping<number, number>()
      if (hasBegun) stopping.begin()
      const answers = Array.from({ length: requests }, () => stopping.escalate())
      const expected = [hasBegun ? "joined" : "begun", "hurried", "abandoned", "abandoned", "abandoned"]
      assert.deepStrictEqual<ReadonlyArray<string>>(answers, expected.slice(0, requests))
      assert.deepStrictEqual(
        phases.filter((phase) => stopping.skips(phase)),
        phases.filter((phase) => requests > 2 || (requests === 2 && (phase === "unready" || phase === "drain")))
      )
    }))
  })

  it("ignores a ticket of another machine", () => {
    const [ours, theirs] = [new Stopping<number, number>(), new Stopping<number, number>()]
    const foreign = theirs.admit(1, undefined)
    ours.admit(2, undefined)
    ours.begin()
    ours.next()
    assert.isDefined(foreign)
    assert.isUndefined(ours.admit(3, foreign))
    assert.isFalse(foreign !== undefined && ours.leave(foreign, false))
    ours.excuse(foreign)
    assert.isFalse(ours.isDrained)
  })

  it("excuses work and all work around it, once", () => {
    const stopping = new Stopping<string, number>()
    const outer = stopping.admit("outer", undefined)
    const inner = stopping.admit("inner", outer)
    stopping.excuse(inner)
    stopping.excuse(inner)
    assert.isTrue(stopping.isDrained)
    stopping.admit("inmost", inner)
    assert.isTrue(stopping.isDrained)
    stopping.admit("other", undefined)
    assert.isFalse(stopping.isDrained)
  })
})
