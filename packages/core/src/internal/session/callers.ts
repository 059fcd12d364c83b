import type { Caller } from "../../Caller.ts"
import * as OptionCheck from "../../OptionCheck.ts"

/** Those made here, which hold nothing else. */
const copies = new WeakSet<Caller>()

const names = ["tenant", "subject", "conversation"] as const

/**
 * A caller's own fields, copied: what else the user's object holds must not live for as long as what is opened for it, and
 * what is counted for a tenant must be counted off for the same one.
 */
export const copied = (...callers: ReadonlyArray<Caller>): Caller => {
  const copy: { -readonly [K in keyof Caller]: Caller[K] } = {}
  for (const caller of callers) {
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

/** What a record keeps of a caller, who may have been set without us. */
export const kept = (caller: Caller | undefined): Caller | undefined =>
  caller === undefined || copies.has(caller) ? caller : copied(caller)
