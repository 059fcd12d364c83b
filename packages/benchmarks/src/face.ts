/**
 * What a call costs at the faces that users call: `Target` and `LanguageModel`, from the built packages.
 *
 * Each client is alone in its process, on a processor core that it shares with the other clients only; the upstream has a
 * process on another core. All clients warm up first. Then they work in turns, a window of time each, so that a busy
 * machine slows all of them. The figure is CPU per call or per event, over the same with raw undici in the same round.
 * "Cold" is the CPU of a fresh process: of its first 1,000 calls, and of importing a module.
 *
 * - `--smoke` runs shortly, to show that everything works, with all clients in one process.
 * - `--only target,undici` runs some of the clients, `--width 16` sets how many calls are in flight.
 * - `--load calls,streams,cold` runs some of the loads.
 * - `--base DIR` also runs the clients of ours that another checkout has, and compares with them.
 * - `--rounds 25`, `--warm-up 14` (seconds of each client's CPU) set how long it takes.
 */
import type { ChildProcess } from "node:child_process"
import { join, resolve } from "node:path"
import { parseArgs } from "node:util"
import { npm } from "../../../scripts/npm.ts"
import type { Done, Order } from "./internal/face/client.ts"
import { events } from "./internal/face/work.ts"
import { quantile } from "./internal/measure.ts"
import * as Peers from "./internal/peers.ts"
import { received, startPinned, startServer, startUnpinned } from "./internal/processes.ts"
import { atLeastTimes, atMostTimes, conclude, type Target } from "./internal/report.ts"

const { values: options } = parseArgs({
  options: {
    smoke: { type: "boolean", default: false },
    only: { type: "string" },
    width: { type: "string", default: "16" },
    load: { type: "string", default: "calls,streams,cold" },
    base: { type: "string" },
    rounds: { type: "string" },
    "warm-up": { type: "string" }
  }
})
const { base, smoke } = options
const width = Number(options.width)

/** What a client does when it is its turn. */
type Task = Omit<Order, "who">

const loads = options.load.split(",")
const rounds = Number(options.rounds ?? (smoke ? 1 : 25))
const warmUp = Number(options["warm-up"] ?? (smoke ? 0 : 14))
const window: Task = { width, millis: smoke ? 20 : 700, calls: Infinity }
const coldCalls = smoke ? 20 : 1000
const coldRounds = smoke ? 1 : 9

const here = resolve(import.meta.dirname, "../../..")
const checkouts = base === undefined ? [here] : [here, resolve(base)]
for (const checkout of checkouts) npm(checkout, "run", "build")
Peers.install()

const faces = ["target", "model", "modelTools", "targetTraced", "modelTraced", "targetBySdk", "modelBySdk"]
const streamFaces = ["target", "model"]
const peers = ["undici", "openai", "ai", "effect"]

/** A client of another checkout, by the name that it has here. */
const ofBase = (name: string) => `${name} of base`

const chosen = (all: ReadonlyArray<string>) =>
  all.filter((name) => options.only === undefined || options.only.split(",").includes(name))

interface Client {
  readonly name: string
  readonly checkout: string
  readonly client: string
}

const clientsOf = (ours: ReadonlyArray<string>, others: ReadonlyArray<string>): ReadonlyArray<Client> => [
  ...chosen(others).map((client) => ({ name: client, checkout: here, client })),
  ...chosen(ours).map((client) => ({ name: client, checkout: here, client })),
  ...(base === undefined ? [] : chosen(ours).map((client) => ({
    name: ofBase(client),
    checkout: resolve(base),
    client
  })))
]

const server = startServer(join(import.meta.dirname, "internal/chatServer.ts"))
const origin = `http://127.0.0.1:${await received<number>(server)}`

const startClient = smoke ? startUnpinned : startPinned
const program = join(import.meta.dirname, "internal/face/client.ts")

/** Starts a process for a client. */
const startProcess = async (): Promise<ChildProcess> => {
  const child = startClient(program, origin)
  await received(child)
  return child
}

const shared = smoke ? await startProcess() : undefined

interface Started {
  readonly work: (task: Task) => Promise<Done>
  readonly stop: () => void
}

const started = async ({ checkout, client: name }: Client, delivery: "whole" | "streamed"): Promise<Started> => {
  const child = shared ?? await startProcess()
  const who = { name, checkout, isStreamed: delivery === "streamed" }
  return {
    work: async (task) => {
      child.send({ who, ...task } satisfies Order)
      return await received(child)
    },
    stop: () => {
      if (child !== shared) child.disconnect()
    }
  }
}

/** CPU µs per call, in the order of the rounds, by client. */
type Samples = ReadonlyMap<string, ReadonlyArray<number>>

const measure = async (clients: ReadonlyArray<Client>, delivery: "whole" | "streamed"): Promise<Samples> => {
  const running = await Promise.all(
    clients.map(async (client) => ({
      name: client.name,
      client: await started(client, delivery),
      samples: new Array<number>()
    }))
  )
  for (const { client } of running) {
    for (let used = 0; used <= warmUp * 1e6;) used += (await client.work(window)).cpu
  }
  for (let round = 0; round < rounds; round++) {
    for (const { client, samples } of round % 2 === 0 ? running : running.toReversed()) {
      const { calls, cpu } = await client.work(window)
      samples.push(cpu / calls)
    }
  }
  for (const { client } of running) client.stop()
  const found = new Map(running.map(({ name, samples }) => [name, samples]))
  const undici = found.get("undici")
  for (const [name, samples] of found) {
    const times = undici && quantile(samples.map((cpu, round) => cpu / (undici[round] ?? NaN)), 0.5).toFixed(2)
    const cpu = quantile(samples, 0.5) / (delivery === "streamed" ? events : 1)
    console.log(`      ${name}: CPU ${cpu.toPrecision(3)} µs${times === undefined ? "" : `, ${times} × undici`}`)
  }
  return found
}

const compared = (samples: Samples, name: string, ours: string, peer: string) => {
  const [one, other] = [samples.get(ours), samples.get(peer)]
  return one === undefined || other === undefined ? undefined : { name, unit: "µs", ours: one, peer: other }
}

const targets: Array<Target> = []

const atMost = (samples: Samples, limit: number, name: string, ours: string, peer: string) => {
  const pair = compared(samples, name, ours, peer)
  if (pair !== undefined) targets.push(atMostTimes(limit, pair))
}

if (loads.includes("calls")) {
  const samples = await measure(clientsOf(faces, [...peers, "effectModel"]), "whole")
  const over = (limit: number, name: string, ours: string, peer: string) =>
    atMost(samples, limit, `${name}, ${width} in flight, CPU per call, over ${peer}`, ours, peer)
  over(1.6, "Target", "target", "undici")
  over(1.8, "LanguageModel", "model", "undici")
  over(4, "LanguageModel with a toolkit", "modelTools", "undici")
  over(0.15, "Target", "target", "openai")
  over(0.17, "LanguageModel", "model", "openai")
  over(1, "Target", "target", "ai")
  over(1, "LanguageModel", "model", "ai")
  over(1, "Target", "target", "effect")
  over(1, "LanguageModel", "model", "effect")
  over(1.25, "Target, traced", "targetTraced", "target")
  over(1.25, "LanguageModel, traced", "modelTraced", "model")
  over(1.25, "Target, traced by the SDK", "targetBySdk", "target")
  over(1.25, "LanguageModel, traced by the SDK", "modelBySdk", "model")
  for (const face of faces) over(1, face, face, ofBase(face))
}

const rates = (cpu: ReadonlyArray<number>) => cpu.map((micros) => events * 1e6 / micros)

if (loads.includes("streams")) {
  const samples = await measure(clientsOf(streamFaces, peers), "streamed")
  const over = (limit: number, name: string, ours: string, peer: string) => {
    const pair = compared(samples, `${name}, streams, events per CPU second, over ${peer}`, ours, peer)
    if (pair === undefined) return
    targets.push(atLeastTimes(limit, { ...pair, unit: "1/s", ours: rates(pair.ours), peer: rates(pair.peer) }))
  }
  over(1, "Target", "target", "undici")
  over(0.9, "LanguageModel", "model", "undici")
  for (const peer of ["openai", "ai", "effect"]) {
    over(1, "Target", "target", peer)
    over(1, "LanguageModel", "model", peer)
  }
  for (const face of streamFaces) over(1, face, face, ofBase(face))
}

/** Each round in a fresh process. */
const measureCold = async (
  cases: ReadonlyMap<string, () => Promise<number>>
): Promise<Samples> => {
  const found = new Map([...cases.keys()].map((name) => [name, new Array<number>()]))
  for (let round = 0; round < coldRounds; round++) {
    for (const [name, run] of cases) found.get(name)?.push(await run())
  }
  return found
}

if (loads.includes("cold")) {
  const first = async (client: Client): Promise<number> => {
    const { stop, work } = await started(client, "whole")
    const { cpu } = await work({ width, millis: Infinity, calls: coldCalls })
    stop()
    return cpu
  }
  const imported = async (checkout: string, module: string): Promise<number> => {
    const child = startClient(program, checkout, module)
    const { cpu } = await received<Done>(child)
    child.disconnect()
    return cpu
  }
  const clients = clientsOf(streamFaces, ["openai"])
  const calls = await measureCold(new Map(clients.map((client) => [client.name, () => first(client)])))
  const name = `cold, CPU of the first ${coldCalls} calls, over`
  atMost(calls, 1.2, `Target, ${name} openai`, "target", "openai")
  atMost(calls, 1.2, `LanguageModel, ${name} openai`, "model", "openai")
  for (const face of streamFaces) atMost(calls, 1, `${face}, ${name} base`, face, ofBase(face))
  if (options.only === undefined) {
    const modules = ["@clawback/providers/OpenAi", "effect/ai/LanguageModel", "openai"]
    const imports = new Map(modules.map((module) => [module, () => imported(here, module)]))
    const [ours = "", floor = "", openai = ""] = modules
    if (base !== undefined) imports.set(ofBase(ours), () => imported(resolve(base), ours))
    const samples = await measureCold(imports)
    atMost(samples, 1.3, `CPU of importing ${ours}, over ${floor}`, ours, floor)
    atMost(samples, 1.3, `CPU of importing ${ours}, over ${openai}`, ours, openai)
    atMost(samples, 1, `CPU of importing ${ours}, over base`, ours, ofBase(ours))
  }
}

shared?.disconnect()
server.disconnect()
conclude("face", targets)
