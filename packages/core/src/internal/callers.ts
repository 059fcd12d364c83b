import type { Caller } from "../Caller.ts"

/** Those made here, which hold nothing else. */
const copies = new WeakSet<Caller>()

/** A caller's own fields, copied: what else the user's object holds must not live for as long as what is opened for it. */
export const copied = (...callers: ReadonlyArray<Caller>): Caller => {
  const copy: { -readonly [K in keyof Caller]: Caller[K] } = {}
  for (const caller of callers) {
    if ("tenant" in caller) copy.tenant = caller.tenant
    if ("subject" in caller) copy.subject = caller.subject
    if ("conversation" in caller) copy.conversation = caller.conversation
    if ("tags" in caller) copy.tags = caller.tags && { ...caller.tags }
  }
  copies.add(copy)
  return copy
}

/** What a record keeps of a caller, who may have been set without us. */
export const kept = (caller: Caller | undefined): Caller | undefined =>
  caller === undefined || copies.has(caller) ? caller : copied(caller)
