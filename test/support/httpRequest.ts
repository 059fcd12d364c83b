import type { Protocol } from "@clawback/providers"

/** A request of a client that has everything in its body. */
export const httpRequest = (body: string): Protocol.HttpRequest => ({
  method: "POST",
  url: "/",
  path: "/",
  query: {},
  headers: {},
  body
})
