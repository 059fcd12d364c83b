/** What a pool writes to the log. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type { SessionRecord } from "../session/record.ts"
import * as Site from "../session/site.ts"
import * as Time from "../time/format.ts"

const participles = { validate: "validated", reset: "reset", close: "closed" } as const

export class Reports {
  private readonly name: string
  private hasFailed = false
  private readonly log: (message: Effect.Effect<void>) => unknown

  constructor(name: string, log: (message: Effect.Effect<void>) => unknown) {
    this.name = name
    this.log = log
  }

  /** An item that fails its check is ordinary, but a check that dies may be a bug. */
  failed(step: keyof typeof participles, cause: Cause.Cause<unknown>): void {
    if (step === "validate" ? !Cause.hasDies(cause) : step === "reset" && Cause.hasInterruptsOnly(cause)) return
    this.log(Effect.logWarning(`An item of the pool ${this.name} could not be ${participles[step]}`, cause))
  }

  /** Connecting fails, and no caller gets the error. Written once, until one succeeds. */
  connectFails(cause: Cause.Cause<unknown>): void {
    if (this.hasFailed) return
    this.hasFailed = true
    this.log(Effect.logWarning(`The pool ${this.name} cannot connect, and tries again until it can`, cause))
  }

  connects(): void {
    this.hasFailed = false
  }

  abandoned(step: "connect" | "validate" | "reset" | "close"): void {
    this.log(
      Effect.logWarning(
        `A ${step} of the pool ${this.name} ignores its time limit and was abandoned: its item may still be open`
      )
    )
  }

  leaked({ caller, fiberId, id, site, span }: SessionRecord, threshold: number): void {
    this.log(
      Effect.logWarning(
        `An item of the pool ${this.name} is borrowed for more than ${Time.format(Duration.millis(threshold))}`,
        { session: id, fiber: fiberId, span, caller, site: site === undefined ? undefined : Site.format(site) }
      )
    )
  }

  returnedLate({ id }: SessionRecord, millis: number): void {
    const held = Time.format(Duration.millis(millis))
    this.log(
      Effect.logInfo(`The item of the pool ${this.name} that was reported was returned after ${held}`, {
        session: id
      })
    )
  }
}
