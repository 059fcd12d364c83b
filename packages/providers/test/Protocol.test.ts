import { Protocol } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"

const read = (url: string) => Protocol.httpRequest({ method: "GET", url, headers: {}, body: "" }, "/v1")

describe("Protocol.httpRequest", () => {
  it("cuts path and query where URL does", () => {
    for (
      const target of [
        "/v1/a",
        "/v1/a?",
        "/v1/a?x=1?2&y=3",
        "/v1/a?x=%3F&x=2",
        "/v1/a??x=1",
        "/v1/a?x=1#y?z",
        "/v1/a#b?x=1"
      ]
    ) {
      const { pathname, searchParams } = new URL(target, "http://provider.test")
      assert.deepInclude(read(target), { path: pathname.slice(3), query: Object.fromEntries(searchParams) }, target)
    }
  })
})
