import * as Context from "effect/Context"

/** A fiber that the nemesis may interrupt, with the fibers that it forked. */
export interface Exposed {
  readonly name: string
  /** The phases that it is in, the latest entered last. */
  readonly phases: Array<string>
}

/** The exposed fiber that this one is, or that forked it. */
export const CurrentExposed = Context.Reference<Exposed | undefined>("@clawback/testing/Simulation/CurrentExposed", {
  defaultValue: () => undefined
})
