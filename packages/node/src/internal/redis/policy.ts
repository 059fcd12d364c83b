/** Whether the server may remove keys by itself. https://redis.io/docs/latest/develop/reference/eviction/ */
import * as Effect from "effect/Effect"
import type { Connection } from "./connection.ts"
import { nameOf, type Settings } from "./model.ts"

const policyOf = (info: unknown): string | undefined =>
  typeof info === "string" ? /^maxmemory_policy:(\S+)/m.exec(info)?.[1] : undefined

const log = (policy: string | undefined, server: string): Effect.Effect<void> => {
  if (policy === undefined) return Effect.logDebug(`${server} does not show its maxmemory-policy.`)
  if (policy === "noeviction") return Effect.void
  return Effect.logWarning(
    `${server} has the maxmemory-policy ${policy}: when its memory is full, it removes keys that are in use, such as leases ` +
      "and conversations. Set it to noeviction, and keep caches on another server."
  )
}

/** Warns if keys can be evicted, unless the policy is the one of before. Returns the policy. */
export const check = (
  connection: Connection,
  { address }: Settings,
  before: string | undefined
): Effect.Effect<string | undefined> =>
  Effect.callback<string | undefined>((resume) => {
    connection.send(["INFO", "memory"], "text").then(
      (info) => resume(Effect.succeed(policyOf(info))),
      () => resume(Effect.succeed(undefined))
    )
  }).pipe(Effect.tap((policy) => policy === before ? Effect.void : log(policy, nameOf(address))))
