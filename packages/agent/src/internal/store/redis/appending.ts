/** An append, together with the index of its subject. */
import * as Effect from "effect/Effect"
import type { Append, Appended } from "../model.ts"
import { encodeWord } from "../operationLines.ts"
import { appendRefusalOf } from "../refusals.ts"
import { utf8Length } from "../utf8.ts"
import { expiryArgs, orNone, refusalIn } from "./answers.ts"
import type { Running } from "./running.ts"
import { Code } from "./script.ts"
import * as Scripts from "./scripts.ts"
import type { Subjects } from "./subjects.ts"

const argumentsOf = (change: Append, maxBytes: number, isIndexed: boolean) => {
  const { digest, entries, expected, expiry, fence, operation, subject } = change
  return [
    encodeWord(operation),
    encodeWord(digest),
    expected.incarnation,
    expected.position,
    orNone(fence),
    ...expiryArgs(expiry),
    maxBytes,
    utf8Length(...entries),
    subject ?? "",
    isIndexed ? 1 : 0,
    ...entries
  ]
}

/** Undefined if the conversation would get its subject, and is not in the index. */
const once = ({ run, settings }: Running, change: Append, isIndexed: boolean) =>
  Effect.flatMap(
    run(Scripts.append, change.conversation, argumentsOf(change, settings.maxBytes, isIndexed)),
    (answer) => {
      const [code, incarnation, position] = answer
      if (code === Code.unindexed) return Effect.succeed(undefined)
      if (code !== Code.done && code !== Code.duplicate) {
        return Effect.fail(appendRefusalOf(change, refusalIn(answer) ?? { _tag: "Mismatch" }, settings))
      }
      const cursor = { incarnation: Number(incarnation), position: Number(position) }
      return Effect.succeed<Appended>({ cursor, duplicate: code === Code.duplicate })
    }
  )

/** It has its place in the index. */
const applied = <E>(effect: Effect.Effect<Appended | undefined, E>) =>
  Effect.flatMap(
    effect,
    (appended) =>
      appended === undefined ? Effect.die(new Error("The script asked twice for the index")) : Effect.succeed(appended)
  )

/** An append of a writer who found nothing most likely begins the conversation. */
const begins = ({ expected }: Append) => expected.position === 0

export const append = (running: Running, subjects: Subjects, change: Append) => {
  const { conversation, expiry, subject } = change
  if (subject === undefined || subject === "") return applied(once(running, change, true))
  const indexed = Effect.andThen(subjects.add(conversation, subject, expiry), applied(once(running, change, true)))
  if (begins(change)) return indexed
  return Effect.flatMap(
    once(running, change, false),
    (appended) => appended === undefined ? indexed : Effect.as(subjects.renew(conversation, subject, expiry), appended)
  )
}
