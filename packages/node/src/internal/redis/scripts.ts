/** Lua scripts: sent by their hash, and in full if Redis does not know that, such as after it was started again. */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import { createHash } from "node:crypto"
import type { Arguments } from "./model.ts"

type AnyScript = Redis.Script<{ readonly params: ReadonlyArray<any>; readonly result: any }>

/** Forgotten with their scripts. */
const hashes = new WeakMap<AnyScript, string>()

const hashOf = (script: AnyScript): string => {
  let hash = hashes.get(script)
  if (hash === undefined) hashes.set(script, hash = createHash("sha1").update(script.lua).digest("hex"))
  return hash
}

const isUnknown = ({ cause }: Redis.RedisError): boolean => cause instanceof Error && /^NOSCRIPT\b/.test(cause.message)

export const evaluator =
  (send: (args: Arguments) => Effect.Effect<any, Redis.RedisError>): Redis.Redis["Service"]["eval"] =>
  (script) =>
  (...params) => {
    const values = script.params(...params).map((param) => param instanceof Uint8Array ? param : String(param))
    const rest = [`${script.numberOfKeys(...params)}`, ...values]
    return Effect.catchIf(
      send(["EVALSHA", hashOf(script), ...rest]),
      isUnknown,
      // Redis keeps the script of an EVAL.
      () => send(["EVAL", script.lua, ...rest])
    )
  }
