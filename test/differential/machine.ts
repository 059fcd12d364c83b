/**
 * Runs fibers one step after the other, in order, under virtual time.
 *
 * A step is one task of the scheduler. If no task is ready, it is the next moment for which a fiber sleeps. So every run is
 * the same, and "at step 17" is well defined.
 */
import { type Fiber, type Scheduler } from "effect"
import { VirtualClock } from "../../packages/testing/src/internal/clock.ts"

export class Machine implements Scheduler.Scheduler {
  readonly executionMode = "sync"
  readonly clock = new VirtualClock((wake) => () => void this.ready.push(wake))
  steps = 0
  /** What was thrown out of a step. */
  readonly crashes: Array<string> = []
  private ready: Array<() => void> = []
  private at = 0
  private readonly operations: number
  private readonly dispatcher: Scheduler.SchedulerDispatcher = {
    scheduleTask: (task) => void this.ready.push(task),
    flush: () => {}
  }

  /** A fiber lets the others run after so many operations. */
  constructor(operations: number) {
    this.operations = operations
  }

  shouldYield(fiber: Fiber.Fiber<unknown, unknown>): boolean {
    return fiber.currentOpCount >= this.operations
  }

  makeDispatcher(): Scheduler.SchedulerDispatcher {
    return this.dispatcher
  }

  /** One ready task; false where there is none. */
  runOne(): boolean {
    const task = this.ready[this.at]
    if (task === undefined) return false
    if (++this.at === this.ready.length) {
      this.ready = []
      this.at = 0
    }
    this.steps++
    try {
      task()
    } catch (error) {
      // Nobody's effect failed: it is what would crash a process.
      this.crashes.push(String(error))
    }
    return true
  }

  /** The next moment for which somebody sleeps; false if nobody does. */
  advance(): boolean {
    const isAdvanced = this.clock.advance()
    if (isAdvanced) this.steps++
    return isAdvanced
  }
}
