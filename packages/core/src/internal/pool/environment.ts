/** What a pool uses of the fiber that made it. */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Retry from "../../Retry.ts"
import { Current as Caller } from "../session/callers.ts"
import { Current } from "../session/current.ts"
import { contextOf } from "../session/releaseContext.ts"
import { InFlight } from "../shutdown/inFlight.ts"
import * as Deadline from "../time/deadline.ts"
import * as Timers from "../time/timers.ts"

export interface Environment {
  /** In which its effects run: nothing of the work in which the pool was made, which it outlives. Items belong to no
   * caller, and to no session. */
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  readonly timers: Timers.Timers
  readonly random: (typeof Random.Random)["Service"]
}

export const environmentOf = (fiber: Fiber.Fiber<unknown, unknown>): Environment => ({
  context: Context.omit(Current, Caller, InFlight, Deadline.Current, Retry.CurrentKey)(contextOf(fiber)),
  clock: fiber.getRef(Clock.Clock),
  timers: Timers.of(fiber),
  random: fiber.getRef(Random.Random)
})
