/** Each proof at its small scale: it must succeed, and its process must exit by itself. */
import { it } from "vitest"
import { prove } from "./support/prove.ts"

it.each([
  ["main", "holds real conversations and releases everything"],
  ["metrics", "counts the same as the provider and the callers"],
  ["abort", "cuts calls in every phase and in every way, and leaves nothing"],
  ["faces", "cuts calls of both providers through each face, and leaves nothing"],
  ["growth", "does not grow over thousands of calls, many of which fail"],
  ["growthProviders", "does not grow over thousands of calls through the provider layers"],
  ["growthLayers", "does not grow over layers with new models, providers and kinds of sessions"],
  ["growthPool", "does not grow over thousands of loans of pools, many of which fail"],
  ["bodies", "returns connections whose bodies are not read"],
  ["differential", "does the same in our wrappers as plain Effect"],
  ["conversations", "keeps conversations small while they are idle, and nothing once they have expired"],
  ["compaction", "keeps histories valid, within their budget, and cached"],
  ["recorded", "reads recorded traffic as the vendors' SDKs do, and writes it again"],
  ["recordedVariants", "reads what other vendors' servers and clients send in place of it"],
  ["requests", "releases all that a request holds when its client leaves"],
  ["timeouts", "ends each stage of a call in time, and retries only what is safe"]
])("%s: %s", (name) => prove(name), 60_000)
