import { assert, it } from "@effect/vitest"
import { format } from "../../src/internal/session/site.ts"

const stack = (...frames: ReadonlyArray<string>) => ["Error", ...frames.map((frame) => `    at ${frame}`)].join("\n")

const own = [
  "deadlineAndSession (file:///app/node_modules/@clawback/providers/dist/internal/call.js:2038:66)",
  "file:///app/node_modules/@clawback/core/dist/internal/call.js:12:3",
  "x (file:///app/node_modules/.pnpm/@clawback+node@0.1.0/node_modules/@clawback/node/dist/NodeServer.js:1:1)",
  `y (${import.meta.url.replace("/core/test/internal/site.test.ts", "/testing/src/LeakCheck.ts")}:1:1)`
]
const effect = "FiberImpl.runLoop (file:///app/node_modules/effect/dist/internal/effect.js:694:41)"

it("a site begins with the user's line, whichever of our packages, and Effect, is above it", () => {
  const mine = "ask (file:///app/packages/core/src/ask.ts:18:26)"
  const site = format(stack(...own, effect, "Generator.next (<anonymous>)", mine, effect))
  assert.strictEqual(site, `at ${mine}`)
})

it("a site of which no line is the user's is unknown", () => {
  assert.isUndefined(format(stack(...own, effect)))
})
