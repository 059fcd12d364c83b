import { assert, describe, it } from "vitest"
import { isUnsent } from "../../src/internal/lease/reach.ts"

const unsent = { retry: { reach: "unsent", isTransient: true } }

describe("Whether a step may have been made", () => {
  it("is answered by the error, or by what caused it", () => {
    assert.isTrue(isUnsent(unsent))
    assert.isTrue(isUnsent({ _tag: "RedisError", cause: unsent }))
    assert.isTrue(isUnsent({ _tag: "SqlError", reason: { _tag: "ConnectionError", cause: unsent } }))
  })

  it("is unknown if no error says otherwise", () => {
    assert.isFalse(isUnsent({ cause: { retry: { reach: "unanswered" } } }))
    assert.isFalse(isUnsent(new Error("broken pipe", { cause: new Error("reset") })))
    assert.isFalse(isUnsent(undefined))
  })
})
