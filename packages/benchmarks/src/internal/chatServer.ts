/** A process of its own that plays a provider of chat completions, so that its work is not counted as the client's. */
import { createServer } from "node:http"
import type { AddressInfo } from "node:net"

const chunk = (index: number) =>
  `data: ${
    JSON.stringify({
      id: "chatcmpl-BmxQ2F1Yg5cGZ0lE",
      object: "chat.completion.chunk",
      created: 1_790_000_000,
      model: "gpt-5-2026-08-07",
      service_tier: "default",
      system_fingerprint: "fp_62a23a81ef",
      choices: [{ index: 0, delta: { content: ` token${index}` }, logprobs: null, finish_reason: null }],
      usage: null,
      obfuscation: "aWnQ8s"
    })
  }\n\n`

const end =
  `data: {"id":"chatcmpl-BmxQ2F1Yg5cGZ0lE","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n`

const whole = JSON.stringify({
  id: "chatcmpl-BmxQ2F1Yg5cGZ0lE",
  object: "chat.completion",
  created: 1_790_000_000,
  model: "gpt-5-2026-08-07",
  choices: [{
    index: 0,
    message: { role: "assistant", content: "A socket leaks when nobody closes it. ".repeat(20), refusal: null },
    logprobs: null,
    finish_reason: "stop"
  }],
  usage: {
    prompt_tokens: 19,
    completion_tokens: 180,
    total_tokens: 199,
    prompt_tokens_details: { cached_tokens: 0, audio_tokens: 0 },
    completion_tokens_details: { reasoning_tokens: 0, audio_tokens: 0 }
  },
  service_tier: "default"
})

/** As many as a path asks for, some in each piece, as they come from a provider under load. */
const pieces = (events: number): ReadonlyArray<string> => {
  const found: Array<string> = []
  for (let at = 0; at < events; at += 8) {
    let text = ""
    for (let index = at; index < Math.min(at + 8, events); index++) text += chunk(index)
    found.push(text)
  }
  return [...found, end]
}

const known = new Map<number, ReadonlyArray<string>>()

const server = createServer((request, response) => {
  let body = ""
  request.on("data", (bytes) => {
    body += bytes
  })
  request.on("end", () => {
    if (!body.includes("\"stream\":true")) {
      response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(whole) })
      response.end(whole)
      return
    }
    const events = Number(/^\/(\d+)/.exec(request.url ?? "")?.[1] ?? 1)
    const all = known.get(events) ?? pieces(events)
    known.set(events, all)
    response.writeHead(200, { "content-type": "text/event-stream" })
    for (const piece of all) response.write(piece)
    response.end()
  })
})

// Clients that wait for their turn keep their connections.
server.keepAliveTimeout = 600_000
server.listen(0, "127.0.0.1", () => process.send?.((server.address() as AddressInfo).port))
process.on("disconnect", () => process.exit())
