/** What a shutdown waits for, and what it reports. */
import type * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Schema from "effect/Schema"
import * as ReadableError from "../../ReadableError.ts"
import type { Session } from "../../Session.ts"
import type { SessionRegistry } from "../../SessionRegistry.ts"
import type { Phase } from "./phases.ts"

/** The signals that stop a Node.js process, and the exit code after each: 128 and the signal's number. */
export const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143, SIGBREAK: 149 } as const

export type Signal = keyof typeof signals

/** The process is shutting down, so the work was rejected before it began. */
export class ShuttingDown extends ReadableError.tagged<ShuttingDown>("@clawback/core/ShuttingDown")("ShuttingDown", {
  kind: Schema.String,
  /** The name of the work. */
  work: Schema.String
}) {
  override get message() {
    return `The process is shutting down, so the ${this.kind} ${this.work} was not begun. Send it to another replica, ` +
      "or again once this one is back."
  }
}

/** A session that a shutdown waits for, and the registry that lists it. */
export interface Admitted {
  readonly session: Session
  readonly registry: SessionRegistry
}

/** A finalizer or a session, as a report names it. */
export interface Item {
  /** The session's kind, or `"finalizer"`. */
  readonly kind: string
  readonly name: string
  /** The session's id. */
  readonly id: number | undefined
  /** The time since it was registered or opened. */
  readonly age: Duration.Duration
  /** Where in the code it was registered or opened, if this one was sampled. */
  readonly site: string | undefined
}

export interface Failure {
  readonly finalizer: Item
  readonly cause: Cause.Cause<unknown>
}

/** The result of one phase. */
export interface PhaseReport {
  readonly phase: Phase
  readonly duration: Duration.Duration
  /** `"skipped"` if a second or third escalation ended the phase, or kept it from beginning. */
  readonly outcome: "completed" | "overran" | "skipped"
  /** How much admitted work ended by itself during the phase. */
  readonly ended: number
  /** Finalizers that succeeded. */
  readonly finished: ReadonlyArray<Item>
  /** Finalizers that failed. */
  readonly failed: ReadonlyArray<Failure>
  /** Work that was cut short, admitted or not, and finalizers of the drain that ran out of time. */
  readonly interrupted: ReadonlyArray<Item>
  /** Sessions that were released while their users still worked in them. */
  readonly forced: ReadonlyArray<Item>
  /** Finalizers that did not end in time or never began, and sessions that could not be released. */
  readonly stuck: ReadonlyArray<Item>
}

export interface Report {
  /** The reason that was given first. */
  readonly reason: string
  /** The first signal, or the one that abandoned the shutdown. */
  readonly signal: Signal | undefined
  readonly duration: Duration.Duration
  readonly phases: ReadonlyArray<PhaseReport>
  readonly ended: number
  readonly interrupted: ReadonlyArray<Item>
  readonly failed: ReadonlyArray<Failure>
  readonly forced: ReadonlyArray<Item>
  /** What is left in the end. */
  readonly stuck: ReadonlyArray<Item>
  /**
   * 0: all work ended by itself, and nothing is left. 1: a finalizer failed, something is stuck, or work was cut short
   * without a signal. 130 and the like: work was cut short after this signal, or a third signal abandoned the shutdown.
   */
  readonly exitCode: number
}
