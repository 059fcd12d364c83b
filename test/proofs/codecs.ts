/**
 * Protocols decode what they encode, and survive any bytes.
 *
 * `npm run prove -- codecs [--scale small|full]`: full, the default, runs ten thousand conversations and a hundred thousand
 * malformed responses for each protocol. Small runs a hundredth. Its last line is JSON.
 */
import type { Protocol } from "@clawback/providers"
import { exit, memoryUsage } from "node:process"
import { codecs, fuzz, generatedRoundTrips, recordedRoundTrips } from "../support/codecs.ts"
import { growth } from "../support/growth.ts"
import { scale } from "../support/scale.ts"

const [conversations, responses] = scale() === "small" ? [100, 1_000] : [10_000, 100_000]
const seed = 0x5eed

/** `JSON.parse` by itself takes twice as long for these: an object of 16,000 fields, and arrays 160,000 deep. */
const slowToParse = new Set(["unknown fields", "nesting"])

/** As much in one piece takes as long as in eight, with some noise of a busy machine, and where time were squared, 8 times. */
const mostGrowth = (name: string) => slowToParse.has(name) ? 3 : 1.75

/** What is left on the heap once all is done, whatever was decoded. */
const mostLeft = 32 * 1024 * 1024

const heap = () => {
  globalThis.gc?.()
  return memoryUsage().heapUsed
}

const prove = (protocol: Protocol.ChatProtocol) => {
  const recorded = recordedRoundTrips(protocol)
  const generated = generatedRoundTrips(protocol, conversations, seed)
  console.log(`${protocol.name}: ${recorded} recorded and ${generated} generated conversations are understood again`)
  fuzz(protocol, 100, seed)
  const before = heap()
  const fuzzed = fuzz(protocol, responses, seed)
  const heapLeft = heap() - before
  console.log(`${protocol.name}: ${fuzzed.responses} responses, at most ${fuzzed.slowestMillis.toFixed(1)} ms each`)
  console.log(`  ${JSON.stringify(fuzzed.errors)}, ${fuzzed.values} values, ${heapLeft} bytes left`)
  const grown = growth(protocol)
  for (const { name, ratio } of grown) console.log(`  ${name}: ${ratio.toFixed(2)} times as long as in eight pieces`)
  const met = heapLeft <= mostLeft && grown.every(({ name, ratio }) => ratio <= mostGrowth(name))
  return { protocol: protocol.name, met, recorded, generated, ...fuzzed, heapLeft, grown }
}

const results = codecs.map(prove)

const met = results.every((result) => result.met)
console.log(JSON.stringify({ name: "codecs", met, results }))
exit(met ? 0 : 1)
