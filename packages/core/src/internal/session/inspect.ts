/** What a registry answers about its open sessions. */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as OptionCheck from "../../OptionCheck.ts"
import * as Monotonic from "../time/monotonic.ts"
import { earliest, matcher } from "./filter.ts"
import type { Ledger } from "./ledger.ts"
import type { Filter, Leak, Options, SessionRegistry } from "./model.ts"
import type { SessionRecord } from "./record.ts"
import { snapshot } from "./snapshot.ts"

/** Collects what `f` returns for the open sessions, from an id on. */
const select = <A>(ledger: Ledger, f: (record: SessionRecord, now: number) => A | undefined, from?: number) =>
  Effect.clockWith((clock) => {
    const at = Monotonic.millis(clock)
    const found: Array<A> = []
    ledger.forEach((record) => {
      const chosen = f(record, at)
      if (chosen !== undefined) found.push(chosen)
    }, from)
    return Effect.succeed(found)
  })

export const list = (ledger: Ledger): SessionRegistry["list"] => (filter: Filter = {}) =>
  Effect.clockWith((clock) => {
    const matches = matcher(filter, Monotonic.millis(clock))
    return select(ledger, (record, now) => matches(record) ? snapshot(record, now) : undefined, earliest(filter))
  })

export const get = (ledger: Ledger): SessionRegistry["get"] => (id) =>
  Effect.clockWith((clock) => {
    const record = ledger.find(id)
    return Effect.succeed(record === undefined ? Option.none() : Option.some(snapshot(record, Monotonic.millis(clock))))
  })

export const counts = (ledger: Ledger): SessionRegistry["counts"] =>
  Effect.sync(() => {
    const byKind = new Map<string, number>()
    ledger.forEach(({ kind }) => byKind.set(kind, (byKind.get(kind) ?? 0) + 1))
    return Object.fromEntries(byKind)
  })

export const leaks = (ledger: Ledger, threshold: Options["leakThreshold"]): SessionRegistry["leaks"] =>
  select(ledger, (record, now): Leak | undefined => {
    if (record.isAbandoned) return { session: snapshot(record, now), reason: "owner gone" }
    const limit = threshold?.(record.kind)
    return limit !== undefined &&
        record.age(now) >= Duration.toMillis(OptionCheck.duration("leakThreshold", limit))
      ? { session: snapshot(record, now), reason: "too old" }
      : undefined
  })
