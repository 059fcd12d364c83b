/** The direct path of a language model behaves as Effect's own. `npm run prove -- directModel` makes more calls. */
import { assert, it } from "vitest"
import { compare } from "./support/directModel.ts"

it(
  "a direct call has the parts, errors, spans and scopes of the same call through Effect",
  { timeout: 60_000 },
  async () => {
    const tally = await compare(300, 0x5eed)
    const expected = [
      "direct calls",
      "direct calls with a toolkit",
      "toolkit",
      "handled",
      "handled delegate",
      "handled hang",
      "considered",
      "answer",
      "parts",
      "transformer",
      "mark",
      "begin",
      "closed",
      "asked again in full"
    ]
    const results = [
      "success",
      "interrupt",
      "die",
      "fail InvalidOutputError",
      "fail NetworkError",
      "fail ToolParameterValidationError"
    ]
    for (const what of [...expected, ...results.map((result) => `result ${result}`)]) {
      assert.isAbove(tally[what] ?? 0, 0, what)
    }
  }
)
