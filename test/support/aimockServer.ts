/** A provider in its own process: `@copilotkit/aimock`, with a script of what the model says at each turn. */
import { type Fixture, LLMock } from "@copilotkit/aimock"
import { Server, ServerResponse } from "node:http"
import { argv } from "node:process"
import { conversations, keyOf, turns, type WireMessage } from "./conversations.ts"

/** The calls in flight at the provider, and the number of its aborts. */
let inFlight = 0
let aborted = 0
const emit = Server.prototype.emit
Server.prototype.emit = function(this: Server, event: string | symbol, ...args: Array<unknown>) {
  const response = args[1]
  if (event === "request" && response instanceof ServerResponse) {
    inFlight++
    response.once("close", () => {
      inFlight--
      if (!response.writableFinished) aborted++
    })
  }
  return Reflect.apply(emit, this, [event, ...args])
}

const keys = new WeakMap<object, string>()
const keyOfRequest = (request: { readonly messages: unknown }) => {
  const known = keys.get(request)
  if (known !== undefined) return known
  const key = keyOf(request.messages as ReadonlyArray<WireMessage>)
  keys.set(request, key)
  return key
}

const all = turns(conversations(Number(argv[2] ?? Infinity)))
const mock = new LLMock({
  port: 0,
  logLevel: "silent",
  chunkSize: 24,
  latency: 1,
  journalMaxEntries: 0,
  auth: { apiKeys: [argv[3] ?? ""] }
})
mock.addFixtures(all.map(({ key, answer, usage }): Fixture => {
  const toolCalls = (answer.tool_calls ?? []).map(({ id, function: { name, arguments: text } }) => ({
    id,
    name,
    arguments: text
  }))
  return {
    match: { predicate: (request) => keyOfRequest(request) === key },
    response: {
      ...(answer.content !== null && { content: answer.content }),
      ...(toolCalls.length > 0 && { toolCalls }),
      usage
    } as Fixture["response"]
  }
}))
await mock.start()

/** What was billed, by turn, in the order of the requests: read from the server's journal. */
const journal = () =>
  mock.getRequests().map(({ body, response }) => ({
    key: keyOfRequest(body as unknown as { readonly messages: unknown }),
    status: response.status,
    usage: (response.fixture?.response as { readonly usage?: unknown } | undefined)?.usage
  }))

process.on("message", (message) => {
  if (message === "journal") process.send?.(journal())
  if (message === "work") process.send?.({ inFlight, aborted })
})
process.on("disconnect", () => void mock.stop())
process.send?.({ port: mock.port, turns: all.length })
