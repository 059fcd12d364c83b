/** A process of pools: it reports that it is ready, and then uses the pools that it is asked to use. */
import { make, type Work } from "./pools.ts"

export interface Order {
  readonly pool: string
  readonly users: number
  /** How long to go on. */
  readonly millis: number
}

export interface Done {
  readonly uses: number
  /** CPU of this process, in microseconds. */
  readonly cpu: number
}

/** So many uses that starting the users does not count. */
const batch = 20_000

const made = new Map<string, Promise<Work>>()

process.on("message", async ({ millis, pool, users }: Order) => {
  const making = made.get(pool) ?? make(pool)
  made.set(pool, making)
  const work = await making
  let uses = 0
  const before = process.cpuUsage()
  const until = performance.now() + millis
  do {
    await work(users, batch)
    uses += batch
  } while (performance.now() < until)
  const { system, user } = process.cpuUsage(before)
  process.send?.({ uses, cpu: system + user } satisfies Done)
})

process.on("disconnect", () => process.exit())
process.send?.("ready")
