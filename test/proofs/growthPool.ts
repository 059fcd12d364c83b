/**
 * Nothing grows with the number of loans of a `Pool`, or of a `KeyedPool` whose keys never come again.
 *
 * `npm run prove -- growthPool [--scale small|full]`: full, the default, borrows a million times from each. Small borrows 2,000
 * times. One loan in ten is interrupted, comes too late, fails, dies, is revoked, or has its item invalidated. Connects fail or
 * hang, and items break, grow old and are used up. A key has 64 loans, and then no more. After the first fifth of the loans
 * there are thirty samples, each after a garbage collection, when no item is left. Required:
 * - The upper end of the 95 % confidence interval of the heap's slope, with buffers outside it, is at most 16 bytes per loan.
 * - Descriptors are equal in all samples: items hold one each.
 * - The median of the CPU time per loan in the last third of the samples is at most 1.15 times that in the second.
 * - In each sample and at the end, the pool has no item, no waiter and no key, and the registry no session.
 * - Each item that was opened was closed for a reason. Every reason and every error has occurred.
 *
 * Over few loans, the engine's own allocations are larger than any leak. Then slope and times are shown, and not judged.
 */
import { KeyedPool, Pool, SessionRegistry } from "@clawback/core"
import { NodeProbes } from "@clawback/node"
import { Cause, Console, Effect, Exit, References, Scope } from "effect"
import { cpuUsage } from "node:process"
import { collected } from "../support/collected.ts"
import * as Loans from "../support/loans.ts"
import { now } from "../support/monotonic.ts"
import { tagOf } from "../support/origin.ts"
import * as Proof from "../support/proof.ts"
import { seeded } from "../support/random.ts"
import { scale } from "../support/scale.ts"
import { median, slope } from "../support/slope.ts"

const isSmall = scale() === "small"
const total = isSmall ? 2_000 : 1_000_000
const samples = isSmall ? 6 : 30
/** How many borrow at a time, from at most four items: in half of the loans they wait, and in the other items are idle. */
const concurrencies = [16, 3] as const
const loansOfKey = 64

const reasons = ["idle", "lifetime", "uses", "invalid", "invalidated", "revoked"] as const
const errors = ["AcquireTimeout", "Refused", "PoolConnectTimeout", "SessionRevoked", "DeadlineExceeded", "Failed"]

type Random = () => number
type Open = (random: Random) => Effect.Effect<(loan: number) => Loans.Lender, never, Scope.Scope>

const ofPool: Open = (random) =>
  Effect.map(Pool.make({ ...Loans.options(random), max: 4 }), (pool) => {
    const lender: Loans.Lender = {
      use: (f) => Pool.use(pool, f),
      get: Pool.get(pool),
      invalidate: (item) => Pool.invalidate(pool, item),
      stats: Pool.stats(pool),
      keys: Effect.succeed([])
    }
    return () => lender
  })

const ofKeyedPool: Open = (random) => {
  const { acquire, ...options } = Loans.options(random)
  const connect: (key: number) => typeof acquire = () => acquire
  return Effect.map(KeyedPool.make({ ...options, acquire: connect, max: 4 }), (pool) => (loan) => {
    const key = Math.floor(loan / loansOfKey)
    return {
      use: (f) => KeyedPool.use(pool, key, f),
      get: KeyedPool.get(pool, key),
      invalidate: (item) => KeyedPool.invalidate(pool, item),
      stats: KeyedPool.stats(pool),
      keys: KeyedPool.keys(pool)
    }
  })
}

/** Waits until nothing is left of what was borrowed. What is left after five seconds is told as it is. */
const settled = Effect.fnUntraced(function*({ keys, stats }: Loans.Lender) {
  const since = now()
  while (true) {
    const { closed, opened, total, waiting } = yield* stats
    const left = { total, waiting, keys: (yield* keys).length, ...yield* SessionRegistry.counts }
    const isEmpty = Object.values(left).every((count) => count === 0)
    const wereClosed = opened === Object.values(closed).reduce((sum, count) => sum + count, 0)
    if ((isEmpty && wereClosed) || now() - since > 5000) {
      const { descriptors, sockets } = yield* NodeProbes.resources()
      return { isEmpty, wereClosed, left, closed, descriptors: descriptors - sockets.length }
    }
    yield* Effect.sleep("5 millis")
  }
})

/** How loans ended. */
class Ends {
  readonly errors: Record<string, number> = {}
  readonly unexpected: Array<string> = []
  /** Interrupted by its own limit of time. */
  interrupted = 0

  note(exit: Exit.Exit<unknown, unknown>): void {
    if (Exit.isSuccess(exit)) return
    for (const reason of exit.cause.reasons) {
      if (Cause.isInterruptReason(reason) || (Cause.isDieReason(reason) && reason.defect === Loans.defect)) continue
      const tag = Cause.isFailReason(reason) ? tagOf(reason.error) : "defect"
      this.errors[tag] = (this.errors[tag] ?? 0) + 1
      if (!errors.includes(tag) && this.unexpected.length < 5) this.unexpected.push(Cause.pretty(exit.cause))
    }
  }
}

type Sample =
  & { readonly made: number; readonly cpu: number; readonly bytes: number }
  & Effect.Success<ReturnType<typeof settled>>

const prove = Effect.fnUntraced(function*(name: string, open: Open) {
  const random = seeded(0x9001)
  const ends = new Ends()
  let made = 0
  const scope = yield* Scope.make()
  const before = yield* NodeProbes.resources()
  const lenderOf = yield* Scope.provide(open(random), scope)
  const run = Effect.fnUntraced(function*(size: number) {
    const usage = cpuUsage()
    const since = now()
    const one = Effect.suspend(() =>
      Effect.map(Effect.exit(Loans.loan(random)(lenderOf(made++))), (exit) => ends.note(exit))
    )
    for (const concurrency of concurrencies) {
      yield* Effect.forEach(Array.from({ length: Math.round(size / 2) }), () => one, { concurrency, discard: true })
    }
    const { system, user } = cpuUsage(usage)
    return { cpu: (user + system) / size, perSecond: Math.round(size / (now() - since) * 1000) }
  })

  yield* run(total / 5)
  const seen: Array<Sample> = []
  for (let sample = 0; sample < samples; sample++) {
    const { cpu, perSecond } = yield* run(Math.round(total * 0.8 / samples))
    const held = yield* settled(lenderOf(made))
    const { bytes, rss } = yield* collected
    seen.push({ made, cpu, bytes, ...held })
    yield* Console.log(
      `${name}, ${made} loans: ${bytes} bytes, RSS ${rss}, ${held.descriptors} descriptors, ` +
        `${cpu.toFixed(1)} µs of CPU per loan, ${perSecond}/s${
          held.isEmpty ? "" : `, left: ${JSON.stringify(held.left)}`
        }`
    )
  }
  yield* Scope.close(scope, Exit.void)
  const end = yield* settled(lenderOf(made))

  const heap = slope(seen.map(({ bytes, made }) => ({ x: made, y: bytes })))
  const third = samples / 3
  const [second = NaN, last = NaN] = [1, 2]
    .map((part) => median(seen.slice(part * third, (part + 1) * third).map(({ cpu }) => cpu)))
  const descriptors = new Set([
    before.descriptors - before.sockets.length,
    ...seen.map(({ descriptors }) => descriptors)
  ])
  for (const one of ends.unexpected) yield* Console.log("UNEXPECTED", one)
  const haveOccurred = reasons.every((reason) => end.closed[reason] > 0) &&
    errors.every((tag) => (ends.errors[tag] ?? 0) > 0)
  return {
    met: [...seen, end].every(({ isEmpty, wereClosed }) => isEmpty && wereClosed) && descriptors.size === 1 &&
      ends.unexpected.length === 0 &&
      (isSmall || (haveOccurred && heap.upper <= 16 && last <= 1.15 * second)),
    loans: made,
    bytesPerLoan: Object.fromEntries(Object.entries(heap).map(([name, value]) => [name, Number(value.toFixed(2))])),
    cpuPerLoanMicros: { second: Number(second.toFixed(1)), last: Number(last.toFixed(1)) },
    cpuRatio: Number((last / second).toFixed(3)),
    descriptors: [...descriptors],
    errors: ends.errors,
    closed: end.closed,
    left: end.left
  }
})

Proof.run(
  "growthPool",
  isSmall ? 55 : 1800,
  Effect.gen(function*() {
    const pool = yield* prove("Pool", ofPool)
    const keyedPool = yield* prove("KeyedPool", ofKeyedPool)
    return { met: pool.met && keyedPool.met, pool, keyedPool }
  }).pipe(
    Effect.provide(SessionRegistry.layer()),
    Effect.provideService(References.MinimumLogLevel, "Error")
  )
)
