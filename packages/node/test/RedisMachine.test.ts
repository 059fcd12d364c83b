/** The machine of the shared connection, against what it promises, by random histories. */
import { assert, describe, it } from "@effect/vitest"
import * as fc from "fast-check"
import { Machine } from "../src/internal/redis/machine.ts"

interface Command {
  readonly id: number
  readonly deadline: number
}

const limits = { maxInFlight: 3, maxWaiting: 4 }
const limit = 10

const step = fc.oneof(
  { weight: 5, arbitrary: fc.constant("submit" as const) },
  { weight: 3, arbitrary: fc.constant("answer" as const) },
  { weight: 2, arbitrary: fc.constant("abandon" as const) },
  { weight: 2, arbitrary: fc.constant("up" as const) },
  { weight: 1, arbitrary: fc.constant("down" as const) },
  { weight: 2, arbitrary: fc.constant("due" as const) },
  { weight: 3, arbitrary: fc.constant("tick" as const) }
)

const run = (steps: ReadonlyArray<[what: string, pick: number]>) => {
  const machine = new Machine<Command>(limits)
  const sent: Array<Command> = []
  const waiting: Array<Command> = []
  const order: Array<number> = []
  let now = 0
  let isUp = false
  let id = 0

  const send = (commands: ReadonlyArray<Command>) => {
    for (const command of commands) {
      const at = waiting.indexOf(command)
      if (at >= 0) waiting.splice(at, 1)
      assert.notInclude(sent, command)
      sent.push(command)
      order.push(command.id)
    }
  }

  for (const [what, pick] of steps) {
    switch (what) {
      case "submit": {
        const command = { id: ++id, deadline: now + limit }
        const outcome = machine.submit(command)
        if (outcome === "send") send([command])
        else if (outcome === "wait") waiting.push(command)
        else assert.strictEqual(waiting.length, limits.maxWaiting)
        break
      }
      case "answer": {
        const command = sent[pick % (sent.length || 1)]
        if (command === undefined) break
        sent.splice(sent.indexOf(command), 1)
        send(machine.answered(command))
        assert.deepStrictEqual(machine.answered(command), [], "a second answer changes nothing")
        break
      }
      case "abandon": {
        const all = [...sent, ...waiting]
        const command = all[pick % (all.length || 1)]
        if (command === undefined) break
        const isUnsent = machine.abandon(command)
        assert.strictEqual(isUnsent, waiting.includes(command))
        if (isUnsent) waiting.splice(waiting.indexOf(command), 1)
        break
      }
      case "up":
        isUp = true
        send(machine.up())
        break
      case "down":
        isUp = false
        assert.deepStrictEqual(machine.down(), sent, "what was sent is lost, once")
        assert.deepStrictEqual(machine.down(), [])
        sent.length = 0
        break
      case "due": {
        const { expired, isStuck } = machine.due(now)
        assert.deepStrictEqual(expired, waiting.filter(({ deadline }) => deadline <= now))
        assert.strictEqual(isStuck, sent.some(({ deadline }) => deadline <= now))
        waiting.splice(0, expired.length)
        break
      }
      default:
        now += pick % 7
    }
    assert.strictEqual(machine.inFlight, sent.length)
    assert.strictEqual(machine.waiters, waiting.length)
    assert.isAtMost(sent.length, limits.maxInFlight)
    assert.isAtMost(waiting.length, limits.maxWaiting)
    const deadlines = [...sent, ...waiting].map(({ deadline }) => deadline)
    assert.strictEqual(machine.nextDeadline, deadlines.length === 0 ? undefined : Math.min(...deadlines))
    // A command only waits for a connection, or for a free place.
    if (isUp && waiting.length > 0) assert.isAtLeast(sent.length + 1, limits.maxInFlight)
  }
  assert.deepStrictEqual(order, order.toSorted((a, b) => a - b), "commands are sent in the order of their arrival")
  assert.deepStrictEqual(machine.close(), waiting)
  assert.strictEqual(machine.submit({ id: 0, deadline: 0 }), "closed")
  assert.deepStrictEqual(machine.up(), [])
}

describe("the commands of a shared connection", () => {
  it("are sent once, in order, within their limits, and none is forgotten", () => {
    fc.assert(fc.property(fc.array(fc.tuple(step, fc.nat(20)), { maxLength: 120 }), run), { numRuns: 2000 })
  })
})
