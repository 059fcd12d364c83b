/** A provider that streams for as long as it is read, and counts what it works on. */
import { createServer } from "node:http"
import { says } from "../../packages/providers/test/support/openAiWire.ts"

let inFlight = 0
let aborted = 0
const server = createServer((request, response) => {
  request.resume()
  inFlight++
  const begin = setTimeout(() => {
    response.writeHead(200, { "content-type": "text/event-stream" })
    talk = setInterval(() => response.write(says({ content: "well " })), 20)
  }, Math.random() * 60)
  let talk: NodeJS.Timeout | undefined
  response.once("close", () => {
    inFlight--
    if (!response.writableFinished) aborted++
    clearTimeout(begin)
    clearInterval(talk)
  })
})
server.listen(0, "127.0.0.1", () => {
  const address = server.address()
  if (typeof address === "object") process.send?.({ port: address?.port })
})
process.on("message", () => process.send?.({ inFlight, aborted }))
process.on("disconnect", () => process.exit(0))
