/** Users of a database: each makes one call after the other, with a deadline or an interruption at a random moment. */
import { Deadline } from "@clawback/core"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import type { SqlClient } from "effect/sql"
import { now } from "./monotonic.ts"

type Client = SqlClient.SqlClient
type Random = () => number

export const accounts = 40

/** Moves money from one account to another, slowly: between the two steps, the sum is wrong. */
const transfer = (client: Client, random: Random) => {
  const [from, to] = [random(), random()].map((number) => 1 + Math.floor(number * accounts))
  const change = (id: number | undefined, by: number) =>
    client`UPDATE accounts SET money = money + ${by} WHERE id = ${id ?? 1}`
  // In the order of their ids, so that two of them never wait for each other.
  const [first = 1, second = 1] = [from, to].toSorted((a = 1, b = 1) => a - b)
  return client.withTransaction(
    Effect.andThen(Effect.andThen(change(first, -1), client`SELECT pg_sleep(${random() * 0.02})`), change(second, 1))
  )
}

type Call = (client: Client, random: Random) => Effect.Effect<unknown, { readonly _tag: string }>

const count: Call = (client) => client`SELECT count(*) FROM accounts`

const nested: Call = (client, random) =>
  client.withTransaction(
    Effect.andThen(count(client, random), Effect.ignore(client.withTransaction(transfer(client, random))))
  )

const stream: Call = (client) =>
  Stream.runDrain(Stream.take(client`SELECT * FROM generate_series(1, 10000)`.stream, 300))

/** The calls of a user: most of them end by themselves. */
const calls: ReadonlyArray<Call> = [
  count,
  count,
  (client, random) => client`SELECT pg_sleep(${random() * 0.05})`,
  (client) => client`SELECT pg_sleep(60)`,
  transfer,
  transfer,
  transfer,
  nested,
  nested,
  stream,
  stream,
  (client, random) => client.withTransaction(Effect.andThen(count(client, random), Effect.never))
]

export interface Result {
  /** `ok`, the tag of an error with its reason, `interrupted`, or `defect`. */
  readonly kind: string
  readonly at: number
  /** Milliseconds from its deadline or interruption to its end, if it had not ended before. */
  readonly late: number
  readonly cause: string | undefined
}

const kindOf = (exit: Exit.Exit<unknown, { readonly _tag: string; readonly reason?: unknown }>): string => {
  if (Exit.isSuccess(exit)) return "ok"
  if (Exit.hasDies(exit)) return "defect"
  const error = exit.cause.reasons.find(Cause.isFailReason)?.error
  if (error === undefined) return "interrupted"
  const { reason } = error
  return typeof reason === "object" && reason !== null && "_tag" in reason
    ? `${error._tag}: ${reason._tag}`
    : error._tag
}

const resultOf = (
  exit: Exit.Exit<unknown, { readonly _tag: string }>,
  end: number
): Result => {
  const at = now()
  const kind = kindOf(exit)
  return {
    kind,
    at,
    late: Math.max(0, at - end),
    cause: Exit.isFailure(exit) && kind !== "interrupted" ? Cause.pretty(exit.cause) : undefined
  }
}

/** One call with a deadline, or one that is interrupted after some time. */
const call = (client: Client, random: Random): Effect.Effect<Result> =>
  Effect.suspend(() => {
    const work = calls[Math.floor(random() * calls.length)]?.(client, random) ?? Effect.void
    const millis = 100 + random() * 900
    const end = now() + millis
    if (random() < 0.6) {
      return Effect.map(Effect.exit(Deadline.within(work, millis)), (exit) => resultOf(exit, end))
    }
    return Effect.gen(function*() {
      const fiber = yield* Effect.forkChild(work)
      // It ends by itself, or is interrupted.
      yield* Effect.timeoutOption(Fiber.await(fiber), millis)
      const since = now()
      yield* Fiber.interrupt(fiber)
      return resultOf(yield* Fiber.await(fiber), since)
    })
  })

/** Calls until `isOver`. */
export const user = (
  client: Client,
  random: Random,
  isOver: () => boolean,
  onResult: (result: Result) => void
): Effect.Effect<void> =>
  Effect.suspend(() =>
    isOver() ? Effect.void : Effect.flatMap(call(client, random), (result) => {
      onResult(result)
      return Effect.andThen(Effect.sleep(random() * 2000), user(client, random, isOver, onResult))
    })
  )
