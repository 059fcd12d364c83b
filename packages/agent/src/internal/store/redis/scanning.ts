/** Pages of conversations, and their removal. */
import * as Effect from "effect/Effect"
import type * as Redis from "effect/persistence/Redis"
import type { Head, Page, RemoveOptions, ScanOptions } from "../model.ts"
import { headOf } from "../stored.ts"
import { orNone, stateOf } from "./answers.ts"
import { conversationOf, patternOf, type Running } from "./running.ts"
import { Code } from "./script.ts"
import * as Scripts from "./scripts.ts"
import type { Subjects } from "./subjects.ts"

/** How many heads of a page are read at the same time. */
const concurrency = 16

const headIn = ({ run }: Running, conversation: string) =>
  Effect.map(run(Scripts.head, conversation, []), (answer): Head | undefined => {
    const state = answer[0] === Code.done ? stateOf(answer) : undefined
    return state?._tag === "Live" ? headOf(conversation, state) : undefined
  })

const isPresent = (idleSince: number) => (head: Head | undefined): head is Head =>
  head !== undefined && head.touchedAt <= idleSince

const nextOf = (cursor: string) => cursor === "0" ? undefined : cursor

const pageOf = (running: Running, subjects: Subjects, subject: string, { after = "0", limit }: ScanOptions) =>
  Effect.flatMap(subjects.page(subject, after, limit), ({ members, next }) =>
    Effect.map(
      Effect.forEach(
        members,
        ([conversation, score]) =>
          Effect.tap(headIn(running, conversation), (head) =>
            head?.subject === subject ? Effect.void : subjects.prune(conversation, subject, score)),
        { concurrency }
      ),
      (heads) => ({
        heads: heads.map((head) =>
          head?.subject === subject ? head : undefined
        ),
        next
      })
    ))

const pageOfAll = (
  running: Running,
  redis: Redis.Redis["Service"],
  { after = "0", limit }: ScanOptions
) =>
  Effect.flatMap(
    redis.send<[string, Array<string>]>("SCAN", after, "MATCH", patternOf(running.settings), "COUNT", String(limit)),
    ([next, keys]) =>
      Effect.map(
        Effect.forEach(keys, (key) => headIn(running, conversationOf(running.settings, String(key))), { concurrency }),
        (heads) => ({ heads, next: String(next) })
      )
  )

export const scan = (
  running: Running,
  redis: Redis.Redis["Service"],
  subjects: Subjects,
  options: ScanOptions
) => {
  const { idleSince = Infinity, subject } = options
  const found = subject === undefined
    ? pageOfAll(running, redis, options)
    : pageOf(running, subjects, subject, options)
  return Effect.map(found, ({ heads, next }): Page => ({
    heads: heads.filter(isPresent(idleSince)),
    next: nextOf(next)
  }))
}

/** The score is read before the conversation is gone. A writer that begins it anew adds it with another score. */
export const remove = Effect.fnUntraced(function*(
  running: Running,
  subjects: Subjects,
  conversation: string,
  { idleSince, incarnation }: RemoveOptions
) {
  const head = yield* headIn(running, conversation)
  if (head === undefined) return false
  const { subject } = head
  const score = subject === undefined ? null : yield* subjects.score(conversation, subject)
  const args = [orNone(incarnation), orNone(idleSince), running.settings.tombstone]
  const [code] = yield* running.run(Scripts.remove, conversation, args)
  if (code !== Code.done) return false
  if (subject !== undefined && score !== null) yield* subjects.drop(conversation, subject, String(score))
  return true
})
