/** Runs the scripts of one store. */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import type { StoreUnavailable } from "../errors.ts"
import type { NetworkedSettings } from "../networked.ts"
import { type Answer, readable } from "./answers.ts"
import type { Script } from "./script.ts"

export interface RedisSettings extends NetworkedSettings {
  readonly name: string
  readonly prefix: string
}

export interface Running {
  readonly settings: RedisSettings
  readonly run: (
    script: Script,
    conversation: string,
    args: ReadonlyArray<string | number>
  ) => Effect.Effect<Answer, Redis.RedisError | StoreUnavailable>
}

/** All of a conversation is at one server of a cluster: it is one key. */
export const makeRunning = (redis: Redis.Redis["Service"], settings: RedisSettings): Running => {
  const check = readable(settings.name)
  return {
    settings,
    run: (script, conversation, args) =>
      Effect.flatMap(redis.eval(script)(`${settings.prefix}{${conversation}}`, args), check)
  }
}

/** What the keys of conversations look like, and the conversation of a key. */
export const patternOf = ({ prefix }: RedisSettings): string => `${prefix.replaceAll(/[\\*?[\]]/g, "\\$&")}{*}`

export const conversationOf = ({ prefix }: RedisSettings, key: string): string => key.slice(prefix.length + 1, -1)
