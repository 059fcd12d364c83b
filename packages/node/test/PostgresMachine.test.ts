import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Machine, type TransactionStatus } from "../src/internal/postgres/machine.ts"

/** What may happen to a connection, in any order. */
type Event =
  | { readonly type: "begin" | "interrupt" | "sent" | "close" }
  | { readonly type: "ready"; readonly status: TransactionStatus }
  | { readonly type: "cancelled"; readonly hasArrived: boolean }

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constantFrom("begin", "interrupt", "sent") }) },
  { weight: 1, arbitrary: fc.constant({ type: "close" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("ready" as const), status: fc.constantFrom("I", "T", "E") })
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("cancelled" as const), hasArrived: fc.boolean() }) }
)

const apply = (machine: Machine, event: Event): boolean => {
  switch (event.type) {
    case "begin":
      return machine.begin()
    case "interrupt":
      return machine.interrupt()
    case "sent":
      machine.sent()
      return true
    case "close":
      machine.close()
      return true
    case "ready":
      machine.ready(event.status)
      return true
    case "cancelled":
      machine.cancelled(event.hasArrived)
      return true
  }
}

/** After these events, a connection runs a statement that is being cancelled. */
const cancelling = () => {
  const machine = new Machine()
  assert.isTrue(machine.begin())
  assert.isTrue(machine.interrupt())
  return machine
}

describe("the states of a connection to PostgreSQL", () => {
  it("keep their laws in every order of events", () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 30 }), (events) => {
        const machine = new Machine()
        /** A statement that the server has not answered to the end. */
        let isUnanswered = false
        /** A request to cancel that may still reach the server. */
        let isUnderWay = false
        /** The same request is over, and is not sent again. */
        let isOver = false
        let isClosed = false
        let status: TransactionStatus = "I"
        for (const event of events) {
          const before = machine.state
          const isDone = apply(machine, event)
          if (event.type === "begin") {
            assert.strictEqual(isDone, before === "idle")
            isUnanswered ||= isDone
          }
          if (event.type === "interrupt") assert.strictEqual(isDone, before === "running")
          if (event.type === "interrupt" && isDone) isOver = false
          if (event.type === "sent" && before === "cancelling" && !isOver) isUnderWay = true
          if (event.type === "cancelled" && before === "cancelling") {
            isOver = true
            if (event.hasArrived) isUnderWay = false
          }
          if (event.type === "ready" && !isClosed) {
            isUnanswered = false
            status = event.status
          }
          isClosed ||= machine.state === "closed"

          if (isClosed) assert.strictEqual(machine.state, "closed")
          if (machine.state === "idle") assert.isFalse(isUnanswered || isUnderWay)
          if (machine.isReusable) assert.strictEqual(status, "I")
          assert.strictEqual(machine.isReusable, machine.state === "idle" && status === "I")
          assert.strictEqual(machine.isInTransaction, !isClosed && status !== "I")
          assert.strictEqual(machine.isCancelWanted, machine.state === "cancelling" && isUnanswered)
        }
      }),
      { numRuns: 2000 }
    )
  })

  it.each(["the server first", "the request first"])("end a cancellation with both, %s", (order) => {
    const machine = cancelling()
    machine.sent()
    if (order === "the server first") machine.ready("I")
    else machine.cancelled(true)
    assert.strictEqual(machine.state, "cancelling")
    if (order === "the server first") machine.cancelled(true)
    else machine.ready("I")
    assert.isTrue(machine.isReusable)
  })

  it("close if a request was sent and may still arrive", () => {
    const machine = cancelling()
    machine.sent()
    machine.ready("I")
    machine.cancelled(false)
    assert.strictEqual(machine.state, "closed")
  })

  it("wait for the server if no request could be sent", () => {
    const machine = cancelling()
    machine.cancelled(false)
    assert.strictEqual(machine.state, "cancelling")
    machine.ready("T")
    assert.strictEqual(machine.state, "idle")
    assert.isTrue(machine.isInTransaction)
  })
})
