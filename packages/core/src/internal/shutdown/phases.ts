/**
 * The phases of a shutdown, in their order.
 *
 * What each phase does: performPhase.ts. Which work and finalizers it waits for: machine.ts. The exit code: report.ts, and
 * `main.ts` of `@clawback/node`, which adds failures of the program.
 */

/** In this order. */
export const phases = ["unready", "stop", "drain", "persist", "interrupt", "close"] as const

export type Phase = typeof phases[number]

export type State = "running" | Phase | "done"
