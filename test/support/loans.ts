/** Loans of a pool, most of which end well, and items that fail: what `prove -- growthPool` repeats. */
import { Deadline, type Pool, Session, SessionRegistry } from "@clawback/core"
import { Data, Effect, type Scope } from "effect"
import { closeSync, openSync } from "node:fs"

type Random = () => number

/** The server refuses a connection, or a check fails. */
class Refused extends Data.TaggedError("Refused")<{}> {}

/** A borrower fails. */
class Failed extends Data.TaggedError("Failed")<{}> {}

/** What a borrower dies of. */
export const defect = new Error("A borrower dies")

/** Holds a descriptor of the operating system, as a socket does. */
export class Item {
  readonly descriptor = openSync("/dev/null", "r")
  /** Whether its next check fails. */
  isBroken = false
}

/** One in 50 connects fails, and sometimes eight in a row. One in 100 never ends, one in 100 opens an item that breaks later. */
const connect = (random: Random) => {
  let refusals = 0
  return Effect.acquireRelease(
    Effect.suspend(() => {
      const fate = random()
      if (fate < 0.002) refusals = 8
      if (fate < 0.02 || refusals-- > 0) return Effect.fail(new Refused())
      if (fate < 0.03) return Effect.interruptible(Effect.never)
      return Effect.sync(() => Object.assign(new Item(), { isBroken: fate < 0.04 }))
    }),
    ({ descriptor }) => Effect.sync(() => closeSync(descriptor))
  )
}

/** Items live, rest and are lent for milliseconds, so that they turn over. */
export const options = (random: Random) => ({
  acquire: connect(random),
  validate: ({ isBroken }: Item) => Effect.as(Effect.yieldNow, !isBroken),
  validateBypass: 0,
  maxUses: 12,
  maxLifetime: "50 millis",
  idleTimeToLive: "20 millis",
  acquireTimeout: "20 millis",
  connectTimeout: "5 millis",
  backoff: { base: "1 millis", max: "2 millis" }
} as const)

type PoolError = Pool.PoolError | Refused

/** A pool, or the pool of one key. */
export interface Lender {
  readonly use: <A, E>(f: (item: Item) => Effect.Effect<A, E>) => Effect.Effect<A, E | PoolError>
  readonly get: Effect.Effect<Item, PoolError, Scope.Scope>
  readonly invalidate: (item: Item) => Effect.Effect<void>
  readonly stats: Effect.Effect<Pool.Stats>
  /** The keys that have a pool. */
  readonly keys: Effect.Effect<ReadonlyArray<unknown>>
}

/** Takes back the loan of the current fiber, which then waits for that. */
const revoked = Effect.flatMap(Session.Current, (session) =>
  Effect.andThen(
    Effect.forkDetach(SessionRegistry.revoke({ id: session?.id ?? 0 }, { reason: "simulated" })),
    Effect.never
  ))

type Loan = (lender: Lender) => Effect.Effect<unknown, PoolError | Failed | Deadline.DeadlineExceeded>

const short: Loan = ({ use }) => use(() => Effect.yieldNow)

/** What may become of a loan. Nine in ten are short. */
const loans: ReadonlyArray<Loan> = [
  ...Array.from({ length: 80 }, () => short),
  ...Array.from({ length: 10 }, (): Loan => ({ get }) => Effect.scoped(Effect.andThen(get, Effect.yieldNow))),
  ({ use }) => use(() => Effect.sleep("1 millis")),
  ({ use }) => use(() => Effect.fail(new Failed())),
  ({ use }) => use(() => Effect.die(defect)),
  ({ invalidate, use }) => use((item) => Effect.andThen(invalidate(item), Effect.yieldNow)),
  ({ use }) => use(() => revoked),
  ({ use }) => Deadline.within(use(() => Effect.sleep("5 millis")), "1 millis"),
  ({ use }) => Effect.timeoutOption(use(() => Effect.sleep("5 millis")), "1 millis"),
  // Most of these are interrupted while they wait.
  ({ use }) => Effect.timeoutOption(use(() => Effect.yieldNow), 0),
  ({ use }) => Effect.timeoutOption(Effect.uninterruptible(use(() => Effect.sleep("1 millis"))), 0),
  // Others must wait so long that some come too late.
  ({ use }) => use(() => Effect.sleep("25 millis"))
]

export const loan = (random: Random): Loan => loans[Math.floor(random() * loans.length)] ?? short
