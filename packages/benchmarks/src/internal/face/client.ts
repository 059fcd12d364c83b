/**
 * One client, alone in its process: `node client.ts CHECKOUT NAME ORIGIN whole|streamed`. It reports that it is ready, and
 * then works when it is asked to. `node client.ts CHECKOUT MODULE` reports what importing a module costs instead.
 */
import { join } from "node:path"
import { argv } from "node:process"
import * as Peers from "../peers.ts"

/** Either for a time, or for a number of calls. */
export interface Order {
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

const serve = async (checkout: string, name: string, origin: string, isStreamed: boolean) => {
  const { clients } = await import("./clients.ts")
  const load = Peers.loaderOf(join(checkout, "packages/benchmarks"))
  const work = await clients[name]?.({ origin, isStreamed, load })
  if (work === undefined) throw new Error(`There is no client ${name}. Known: ${Object.keys(clients).join(", ")}`)
  process.on("message", async (order: Order) => {
    let calls = 0
    const until = performance.now() + order.millis
    const goesOn = () => {
      if (calls >= order.calls || performance.now() >= until) return false
      calls++
      return true
    }
    const cpu = await measured(() => work(order.width, goesOn))
    process.send?.({ calls, cpu } satisfies Done)
  })
  process.send?.("ready")
}

process.on("disconnect", () => process.exit())
const [checkout = "", name = "", origin, delivery] = argv.slice(2)
if (origin === undefined) {
  const load = Peers.loaderOf(join(checkout, "packages/benchmarks"))
  const cpu = await measured(() => load(name))
  process.send?.({ calls: 1, cpu } satisfies Done)
} else {
  await serve(checkout, name, origin, delivery === "streamed")
}
