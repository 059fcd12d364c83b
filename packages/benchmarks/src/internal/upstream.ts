/** A provider that answers at once, in a process of its own: `node upstream.ts`. Prints its port on the first line. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const content = "All that is taken is given back, whoever ends the call and whenever. ".repeat(9)

const completion = Buffer.from(JSON.stringify({
  id: "chatcmpl-000000000000000000000000",
  object: "chat.completion",
  created: 1_790_000_000,
  model: "gpt-5-mini",
  choices: [{
    index: 0,
    message: { role: "assistant", content, refusal: null, annotations: [] },
    logprobs: null,
    finish_reason: "stop"
  }],
  usage: { prompt_tokens: 20, completion_tokens: 140, total_tokens: 160 },
  service_tier: "default",
  system_fingerprint: null
}))

const event = Buffer.from(`data: ${
  JSON.stringify({
    id: "chatcmpl-000000000000000000000000",
    object: "chat.completion.chunk",
    created: 1_790_000_000,
    model: "gpt-5-mini",
    choices: [{ index: 0, delta: { content: " word" }, finish_reason: null }]
  })
}\n\n`)
const events = 1000

const server = createServer({ keepAlive: true }, (request, response) => {
  request.resume()
  request.once("end", () => {
    if (request.url !== "/stream") {
      response.writeHead(200, { "content-type": "application/json", "content-length": completion.byteLength })
      return void response.end(completion)
    }
    response.writeHead(200, { "content-type": "text/event-stream" })
    for (let i = 1; i < events; i++) response.write(event)
    response.end("data: [DONE]\n\n")
  })
})
server.keepAliveTimeout = 120_000
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port))
