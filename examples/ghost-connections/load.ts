/** The requests that both applications get, and the model that both of them call. */
import { Behavior, Dialect, FaultyProvider } from "@clawback/testing"
import { Effect, Exit } from "effect"

/** Milliseconds between requests. */
const interval = 25

const answer = Dialect.handler({
  say: ({ messages }) => JSON.stringify(messages.at(-1)).includes("hang") ? Behavior.stall : "Because."
})

/** Starts a provider that answers after 50 milliseconds, unless the question is to hang. Returns its URL. */
export const model = Effect.map(
  FaultyProvider.make({
    handler: (received) => Behavior.delayed(answer(received) ?? Behavior.status(404), "50 millis")
  }),
  ({ url }) => `${url}/v1`
)

/** How many requests ended in which way. */
export interface Outcomes {
  answered: number
  timedOut: number
  refused: number
  failed: number
}

/** The words of PostgreSQL and of our pool where no connection is left. */
const refusal = /too many clients|connection slots are reserved|AcquireTimeout|PoolFull/

const outcomeOf = (exit: Exit.Exit<unknown, unknown>): keyof Outcomes => {
  if (Exit.isSuccess(exit)) return "answered"
  const text = String(exit.cause)
  if (refusal.test(text)) return "refused"
  return /timeout|deadline/i.test(text) ? "timedOut" : "failed"
}

/** A third of all numbers, without a period that requests could fall into step with. */
const hangs = (number: number): boolean => Math.imul(number, 2_654_435_761) >>> 0 < 2 ** 32 / 3

/** Sends requests at a steady rate, whether or not the ones before have ended. A third of them ask the model to hang. */
export const run = Effect.fnUntraced(
  function*(seconds: number, handle: (question: string) => Effect.Effect<unknown, unknown>) {
    const outcomes: Outcomes = { answered: 0, timedOut: 0, refused: 0, failed: 0 }
    const request = (number: number) =>
      Effect.suspend(() => handle(hangs(number) ? `${number}: hang` : `${number}: why?`)).pipe(
        Effect.exit,
        Effect.map((exit) => void outcomes[outcomeOf(exit)]++),
        Effect.delay(number * interval)
      )
    const numbers = Array.from({ length: Math.floor(seconds * 1000 / interval) }, (_, index) => index)
    yield* Effect.forEach(numbers, request, { concurrency: "unbounded", discard: true })
    return outcomes
  }
)
