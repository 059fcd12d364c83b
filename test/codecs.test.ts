/** What every protocol must hold. `npm run prove -- codecs` does more of the same. */
import { assert, describe, it } from "vitest"
import { codecs, fuzz, generatedRoundTrips, recordedRoundTrips } from "./support/codecs.ts"

// A busy machine takes its time.
describe.each(codecs)("the protocol $name", { timeout: 60_000 }, (protocol) => {
  it("says recorded conversations so that it understands them again", () => {
    assert.isAtLeast(recordedRoundTrips(protocol), 10)
  })

  it("says conversations with parallel calls, thinking and images so that it understands them again", () => {
    generatedRoundTrips(protocol, 500, 0x5eed)
  })

  it("makes of whatever a server sends a value or a typed error, however it is cut", () => {
    const { errors, values } = fuzz(protocol, 1_000, 0x5eed)
    assert.isAbove(values, 0)
    assert.isAbove(errors["InvalidResponse"] ?? 0, 0)
    assert.isAbove(errors["StreamTruncated"] ?? 0, 0)
  })
})
