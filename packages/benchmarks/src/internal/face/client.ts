/**
 * A process of clients: `node client.ts ORIGIN`. It reports that it is ready, and then works as the clients that it is asked
 * to be. `node client.ts CHECKOUT MODULE` reports what importing a module costs instead.
 */
import { join } from "node:path"
import { argv } from "node:process"
import * as Peers from "../peers.ts"
import type { Work } from "./work.ts"

/** One client, in the checkout that it is of. */
export interface Who {
  readonly name: string
  readonly checkout: string
  readonly isStreamed: boolean
}

/** Either for a time, or for a number of calls. A client that is new to the process is made before that. */
export interface Order {
  readonly who: Who
  readonly width: number
  readonly millis: number
  readonly calls: number
}

export interface Done {
  readonly calls: number
  /** CPU of this process, in microseconds. */
  readonly cpu: number
}

const measured = async (work: () => Promise<unknown>): Promise<number> => {
  const before = process.cpuUsage()
  await work()
  const { system, user } = process.cpuUsage(before)
  return system + user
}

const serve = async (origin: string) => {
  const { clients } = await import("./clients.ts")
  const made = new Map<string, Promise<Work>>()
  const make = async ({ checkout, isStreamed, name }: Who): Promise<Work> => {
    const load = Peers.loaderOf(join(checkout, "packages/benchmarks"))
    const work = await clients[name]?.({ origin, isStreamed, load })
    if (work === undefined) throw new Error(`There is no client ${name}. Known: ${Object.keys(clients).join(", ")}`)
    return work
  }
  process.on("message", async ({ calls: limit, millis, who, width }: Order) => {
    const key = JSON.stringify(who)
    const making = made.get(key) ?? make(who)
    made.set(key, making)
    const work = await making
    let calls = 0
    const until = performance.now() + millis
    const goesOn = () => {
      if (calls >= limit || performance.now() >= until) return false
      calls++
      return true
    }
    const cpu = await measured(() => work(width, goesOn))
    process.send?.({ calls, cpu } satisfies Done)
  })
  process.send?.("ready")
}

process.on("disconnect", () => process.exit())
const [first = "", module] = argv.slice(2)
if (module === undefined) {
  await serve(first)
} else {
  const load = Peers.loaderOf(join(first, "packages/benchmarks"))
  const cpu = await measured(() => load(module))
  process.send?.({ calls: 1, cpu } satisfies Done)
}
