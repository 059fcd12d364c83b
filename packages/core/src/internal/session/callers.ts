/** For whom a fiber works, and what a record keeps of that. */
import * as Context from "effect/Context"
import * as OptionCheck from "../../OptionCheck.ts"
import type { Caller } from "./model.ts"

/** The caller in force; undefined for work without one. */
export const Current: Context.Reference<Caller | undefined> = Context.Reference<Caller | undefined>(
  "@clawback/core/Caller/Current",
  { defaultValue: () => undefined }
)

/** Those made here, which hold nothing else. */
const copies = new WeakSet<Caller>()

const names = ["tenant", "subject", "conversation"] as const

/**
 * A copy of a caller's own fields. The other fields of the user's object must not live as long as the sessions opened for
 * it, and a session must be counted off for the tenant that it was counted for.
 */
export const copied = (...callers: ReadonlyArray<Caller>): Caller => {
  const copy: { -readonly [K in keyof Caller]: Caller[K] } = {}
  for (const caller of callers) {
    if (typeof caller !== "object" || caller === null) {
      throw OptionCheck.wrong("caller", caller, "an object, such as `{ tenant: \"acme\" }`")
    }
    for (const name of names) {
      if (!(name in caller)) continue
      const value = caller[name]
      copy[name] = value === undefined ? value : OptionCheck.text(name, value)
    }
    if ("tags" in caller) copy.tags = caller.tags && Object.freeze({ ...caller.tags })
  }
  Object.freeze(copy)
  copies.add(copy)
  return copy
}

/** What a record keeps of a caller, which may have been set by other means than ours. */
export const kept = (caller: Caller | undefined): Caller | undefined =>
  caller === undefined || copies.has(caller) ? caller : copied(caller)
