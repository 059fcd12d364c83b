/** The guarantees of every protocol. `npm run prove -- codecs` runs more cases. */
import { assert, describe, it } from "vitest"
import { codecs, fuzz, generatedRoundTrips, recordedRoundTrips } from "./support/codecs.ts"

// A busy machine takes its time.
describe.each(codecs)("the protocol $name", { timeout: 60_000 }, (protocol) => {
  it("decodes the recorded conversations that it encoded", () => {
    assert.isAtLeast(recordedRoundTrips(protocol), 10)
  })

  it("decodes conversations with parallel calls, reasoning and images that it encoded", () => {
    generatedRoundTrips(protocol, 500, 0x5eed)
  })

  it("decodes any bytes to a value or a typed error, however they are split", () => {
    const { errors, values } = fuzz(protocol, 1_000, 0x5eed)
    assert.isAbove(values, 0)
    assert.isAbove(errors["InvalidResponse"] ?? 0, 0)
    assert.isAbove(errors["StreamTruncated"] ?? 0, 0)
  })
})
