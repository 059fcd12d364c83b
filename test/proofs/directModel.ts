/**
 * The direct path of a language model against Effect's `LanguageModel.make`, over the same generated calls.
 *
 * `npm run prove -- directModel [--scale small|full]`: full, the default, makes 10,000 scenarios of up to three calls; small
 * makes 300. Requests, parts, errors, spans, transformers, trackers, scopes and the calls of tool handlers must be the same. Its
 * last line is JSON.
 */
import { exit } from "node:process"
import { compare, type Tally } from "../support/directModel.ts"
import { scale } from "../support/scale.ts"

const scenarios = scale() === "small" ? 300 : 10_000
const seed = 0x5eed

const report = (met: boolean, detail: { readonly tally: Tally } | { readonly difference: string }) => {
  console.log(JSON.stringify({ name: "directModel", met, scenarios, seed, ...detail }))
  exit(met ? 0 : 1)
}

await compare(scenarios, seed).then(
  (tally) => report(true, { tally }),
  (difference: unknown) => report(false, { difference: String(difference) })
)
