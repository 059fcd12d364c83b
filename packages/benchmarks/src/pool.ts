/**
 * What it costs to borrow an item of a pool and return it, beside Effect's `Pool` and the pools of npm, from the built packages.
 *
 * Every pool has ten items, which are open. One user returns an item at once; 100 users keep it for a turn of their scheduler,
 * so that 90 wait. Ours has its metrics, its wait limit and its validation, which is bypassed for an item that was used just before.
 *
 * Each pool is alone in its process, on a processor core that it shares with the others only. All warm up first. Then they work
 * in turns, a window of time each, so that a busy machine slows all of them. The figure is uses per second of CPU.
 * An idle item's size is measured in this process, as the growth of the heap.
 *
 * - `--smoke` runs shortly, to show that everything works, with all pools in one process.
 * - `--only ours,tarn` runs some of the pools.
 * - `--rounds 25`, `--warm-up 2` (seconds of each pool's CPU) set how long it takes.
 */
import { Effect } from "effect"
import type { ChildProcess } from "node:child_process"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { npm } from "../../../scripts/npm.ts"
import { interleave, quantile } from "./internal/measure.ts"
import * as Peers from "./internal/peers.ts"
import type { Done, Order } from "./internal/pool/client.ts"
import { idle } from "./internal/pool/idle.ts"
import { received, startPinned, startUnpinned } from "./internal/processes.ts"
import { atLeastTimes, atMostTimes, conclude, type Target } from "./internal/report.ts"

const { values: options } = parseArgs({
  options: {
    smoke: { type: "boolean", default: false },
    only: { type: "string" },
    rounds: { type: "string" },
    "warm-up": { type: "string" }
  }
})
const { smoke } = options
const rounds = Number(options.rounds ?? (smoke ? 1 : 25))
const warmUp = Number(options["warm-up"] ?? (smoke ? 0 : 2))
const millis = smoke ? 5 : 150

npm(resolve(import.meta.dirname, "../../.."), "run", "build")
Peers.install()

const peers = ["effect", "generic-pool", "tarn", "lightning-pool"]
/** `bare` is no peer, and only shown: the least that lets fibers wait in line. */
const pools = ["ours", "effect", "bare", ...peers.slice(1)]
  .filter((name) => options.only === undefined || options.only.split(",").includes(name))

const program = join(import.meta.dirname, "internal/pool/client.ts")
const start = async (): Promise<ChildProcess> => {
  const child = (smoke ? startUnpinned : startPinned)(program)
  await received(child)
  return child
}

/** Uses per second of CPU, in the order of the rounds, by pool. */
type Samples = ReadonlyMap<string, ReadonlyArray<number>>

const measure = async (title: string, users: number): Promise<Samples> => {
  const shared = smoke ? await start() : undefined
  const running = await Promise.all(pools.map(async (pool) => ({
    child: shared ?? await start(),
    order: { pool, users, millis } satisfies Order,
    samples: new Array<number>()
  })))
  const work = async ({ child, order }: (typeof running)[number]): Promise<Done> => {
    child.send(order)
    return await received<Done>(child)
  }
  for (const one of running) {
    for (let used = 0; used <= warmUp * 1e6;) used += (await work(one)).cpu
  }
  for (let round = 0; round < rounds; round++) {
    for (const one of round % 2 === 0 ? running : running.toReversed()) {
      const { cpu, uses } = await work(one)
      one.samples.push(uses * 1e6 / cpu)
    }
  }
  for (const { child, order, samples } of running) {
    console.log(`      ${title}, ${order.pool}: ${(1e9 / quantile(samples, 0.5)).toPrecision(3)} ns of CPU per use`)
    if (child !== shared) child.disconnect()
  }
  shared?.disconnect()
  return new Map(running.map(({ order, samples }) => [order.pool, samples]))
}

const targets: Array<Target> = []
const atLeast = (samples: Samples, limit: number, title: string, peer: string) => {
  const [one, other] = [samples.get("ours"), samples.get(peer)]
  if (one === undefined || other === undefined) return
  const name = `uses per CPU second, ${title}, over ${peer}`
  targets.push(atLeastTimes(limit, { name, unit: "1/s", ours: one, peer: other }))
}

const alone = await measure("alone", 1)
for (const peer of peers) atLeast(alone, 1, "alone", peer)

const crowded = await measure("100 users", 100)
for (const peer of peers) atLeast(crowded, peer === "effect" ? 2 : 1, "100 users", peer)

if (options.only === undefined) {
  const items = smoke ? 100 : 10_000
  const bytes = await Effect.runPromise(interleave({ rounds: smoke ? 1 : 5, warmUp: 1 }, idle(items)))
  targets.push(atMostTimes(1, { name: `heap per idle item of ${items}, over effect`, unit: "B", ...bytes }))
}

conclude("pool", targets)
