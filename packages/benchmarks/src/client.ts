/**
 * Measures what a call costs through our transport and through others. The upstream is a process of its own.
 *
 * Ours runs with transport, registry, deadline and timeouts on. CPU per call of this process is the steadiest figure. Flags:
 * `--smoke` for a short run that shows that everything works; `--only ours,undici` for some of the cases; `--width 16` or
 * `--width 0` (the streams) for one of the loads.
 */
import * as Deadline from "@clawback/core/Deadline"
import * as Transport from "@clawback/core/Transport"
import * as NodeTransport from "@clawback/node/NodeTransport"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Stream } from "effect"
import { HttpBody, HttpClient, HttpClientRequest } from "effect/http"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { parseArgs } from "node:util"
import { Pool } from "undici"
import { interleave, quantile } from "./internal/measure.ts"
import * as Peers from "./internal/peers.ts"
import { atMostTimes, conclude, type Target } from "./internal/report.ts"

const { values: { only, smoke, width: chosenWidth } } = parseArgs({
  options: { smoke: { type: "boolean", default: false }, only: { type: "string" }, width: { type: "string" } }
})
/** In flight at a time; 0 stands for the streams. */
const widths = chosenWidth === undefined ? [1, 16, 64, 0] : chosenWidth.split(",").map(Number)

const isChosen = (name: string) => only === undefined || only.split(",").includes(name)

Peers.install()

interface OpenAi {
  readonly chat: { readonly completions: { readonly create: (request: unknown) => Promise<unknown> } }
}
const { OpenAI } = await Peers.load<{ readonly OpenAI: new(options: unknown) => OpenAi }>("openai")
const { generateText } = await Peers.load<{ readonly generateText: (options: unknown) => Promise<unknown> }>("ai")
const { createOpenAICompatible } = await Peers.load<{
  readonly createOpenAICompatible: (options: unknown) => (model: string) => unknown
}>("@ai-sdk/openai-compatible")

const upstream = spawn(process.execPath, [`${import.meta.dirname}/internal/upstream.ts`], {
  stdio: ["ignore", "pipe", "inherit"]
})
const [line] = await once(upstream.stdout, "data")
const origin = `http://127.0.0.1:${Number(String(line))}`
const path = "/v1/chat/completions"

const messages = [{ role: "user", content: "Why do sockets leak? ".repeat(10) }]
const body = JSON.stringify({ model: "gpt-5-mini", messages })
const headers = { authorization: "Bearer secret", "content-type": "application/json", accept: "application/json" }

const pool = new Pool(origin, { connections: 128 })
const openai = new OpenAI({ apiKey: "secret", baseURL: `${origin}/v1`, maxRetries: 0 })
const model = createOpenAICompatible({ name: "upstream", apiKey: "secret", baseURL: `${origin}/v1` })("gpt-5-mini")

type Needs = Transport.Transport | HttpClient.HttpClient
type Case = Effect.Effect<unknown, unknown, Needs>

const timeouts = { queue: "10 seconds", connect: "10 seconds", firstToken: "30 seconds" } as const
const ours = (url: string) =>
  Transport.Transport.use((transport) => transport.execute({ method: "POST", url, headers, body, timeouts }))
const theirs = (url: string) =>
  HttpClient.execute(HttpClientRequest.post(url, { headers, body: HttpBody.text(body, "application/json") }))
/** Tracing is off for all: Effect's client would open a span for each call. */
const untraced = Effect.provideService(HttpClient.TracerDisabledWhen, () => true)

/** Calls in one piece, each until its answer is parsed. */
const calls: Readonly<Record<string, Case>> = {
  ours: Effect.map(Effect.flatMap(ours(`${origin}${path}`), Transport.text), JSON.parse).pipe(
    Effect.scoped,
    Deadline.within("60 seconds")
  ),
  undici: Effect.promise(async () => {
    const response = await pool.request({ method: "POST", path, headers, body })
    return await response.body.json()
  }),
  effect: untraced(Effect.flatMap(theirs(`${origin}${path}`), (response) => response.json)),
  fetch: Effect.promise(async () => {
    const response = await fetch(`${origin}${path}`, { method: "POST", headers, body })
    return await response.json()
  }),
  openai: Effect.promise(() => openai.chat.completions.create({ model: "gpt-5-mini", messages })),
  ai: Effect.promise(() => generateText({ model, messages, maxRetries: 0 }))
}

/** Streams, each until its last byte. */
const streams: Readonly<Record<string, Case>> = {
  ours: Effect.flatMap(ours(`${origin}/stream`), (response) => Stream.runDrain(Transport.stream(response))).pipe(
    Effect.scoped,
    Deadline.within("60 seconds")
  ),
  undici: Effect.promise(async () => {
    const response = await pool.request({ method: "POST", path: "/stream", headers, body })
    let bytes = 0
    for await (const chunk of response.body) bytes += chunk.length
    return bytes
  }),
  effect: untraced(Effect.flatMap(theirs(`${origin}/stream`), (response) => Stream.runDrain(response.stream))),
  fetch: Effect.promise(async () => {
    const response = await fetch(`${origin}/stream`, { method: "POST", headers, body })
    let bytes = 0
    for await (const chunk of response.body!) bytes += chunk.length
    return bytes
  })
}

interface Round {
  readonly cpu: number
  readonly p50: number
  readonly p99: number
  readonly rate: number
}

/** `count` of them, `width` at a time: CPU µs per call, and milliseconds that a call took. */
const round = (run: Case, count: number, width: number): Effect.Effect<Round, unknown, Needs> =>
  Effect.suspend(() => {
    const took: Array<number> = []
    let left = count
    const timed = Effect.suspend(() => {
      const startedAt = performance.now()
      return Effect.map(run, () => void took.push(performance.now() - startedAt))
    })
    const worker = Effect.whileLoop({ while: () => left-- > 0, body: () => timed, step: () => {} })
    const before = process.cpuUsage()
    const startedAt = performance.now()
    return Effect.map(
      Effect.forEach(Array.from({ length: width }), () => worker, { concurrency: "unbounded", discard: true }),
      () => {
        const { system, user } = process.cpuUsage(before)
        return {
          cpu: (system + user) / count,
          p50: quantile(took, 0.5),
          p99: quantile(took, 0.99),
          rate: count / (performance.now() - startedAt) * 1000
        }
      }
    )
  })

/** Every case of a kind, round by round. */
const compare = (
  cases: Readonly<Record<string, Case>>,
  { count, rounds, warmUp, width }: {
    readonly count: (name: string) => number
    readonly width: number
    readonly rounds: number
    readonly warmUp: number
  }
) =>
  Effect.gen(function*() {
    const chosen = Object.entries(cases).filter(([name]) => isChosen(name))
    const seen: Record<string, Array<Round>> = Object.fromEntries(chosen.map(([name]) => [name, []]))
    yield* interleave(
      { rounds, warmUp },
      Object.fromEntries(chosen.map(([name, run]) => [
        name,
        Effect.map(round(run, count(name), width), (measured) => {
          seen[name]?.push(measured)
          return measured.cpu
        })
      ]))
    )
    const of = (name: string, figure: keyof Round) =>
      (seen[name] ?? []).slice(-rounds).map((measured) => measured[figure])
    for (const [name] of chosen) {
      const [cpu, p50, p99, rate] = (["cpu", "p50", "p99", "rate"] as const).map((figure) =>
        quantile(of(name, figure), 0.5).toPrecision(3)
      )
      console.log(`      ${width} in flight, ${name}: CPU ${cpu} µs, p50 ${p50} ms, p99 ${p99} ms, ${rate}/s`)
    }
    return of
  })

/** Slower ones make fewer calls, so that a round takes them about as long. */
const share: Readonly<Record<string, number>> = { ours: 1, undici: 1, effect: 0.6, fetch: 0.4, openai: 0.25, ai: 0.1 }
const counting = (calls: number) => (name: string) => Math.max(1, Math.ceil(calls * (share[name] ?? 1)))
const plan = smoke ? { rounds: 1, warmUp: 1 } : { rounds: 15, warmUp: 5 }

const program = Effect.gen(function*() {
  const targets: Array<Target> = []
  const add = (
    of: (name: string, figure: keyof Round) => ReadonlyArray<number>,
    name: string,
    peer: string,
    limit: number,
    figure: "cpu" | "p99" = "cpu"
  ) => {
    if (!isChosen("ours") || !isChosen(peer)) return
    targets.push(
      atMostTimes(limit, {
        name: `${name}, ${figure === "cpu" ? "CPU per call" : "p99"}, over ${peer}`,
        unit: figure === "cpu" ? "us" : "ms",
        ours: of("ours", figure),
        peer: of(peer, figure)
      })
    )
  }

  for (const width of widths.filter((width) => width > 0)) {
    const of = yield* compare(calls, { ...plan, width, count: counting(smoke ? 64 : width === 1 ? 400 : 2000) })
    const name = `non-stream, ${width} in flight`
    add(of, name, "undici", width === 16 ? 1.7 : 2.2)
    add(of, name, "effect", 1)
    add(of, name, "fetch", 1)
    add(of, name, "openai", 1)
    add(of, name, "ai", 1)
    if (width === 64) add(of, name, "effect", 1, "p99")
  }
  if (!widths.includes(0)) return targets
  const of = yield* compare(streams, { ...plan, width: 16, count: (name) => counting(smoke ? 16 : 64)(name) })
  add(of, "streams of 1,000 events, 16 in flight", "undici", 1 / 0.7)
  add(of, "streams of 1,000 events, 16 in flight", "effect", 1)
  add(of, "streams of 1,000 events, 16 in flight", "fetch", 1)
  return targets
})

try {
  const targets = await Effect.runPromise(
    program.pipe(
      Effect.provide(Layer.merge(NodeTransport.layer(), NodeHttpClient.layerUndiciOptions({ connections: 128 })))
    )
  )
  conclude("client", targets)
} finally {
  await pool.close()
  upstream.kill()
}
