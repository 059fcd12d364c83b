/** A secret is not in the heap once its layer is closed, even if the transport stays open. */
import { execFile } from "node:child_process"
import { once } from "node:events"
import * as Http from "node:http"
import type { AddressInfo } from "node:net"
import { join } from "node:path"
import { execPath } from "node:process"
import { promisify } from "node:util"
import { assert, it } from "vitest"
import { says } from "./support/server.ts"

const program = join(import.meta.dirname, "support/secretsProgram.ts")

/** In its own process, so that the search does not include the server's memory. */
const run = async (server: string): Promise<unknown> => {
  const { stdout } = await promisify(execFile)(execPath, ["--conditions=@clawback/source", program, server])
  return JSON.parse(stdout)
}

const json = { "content-type": "application/json" }

const answer = (request: Http.IncomingMessage, response: Http.ServerResponse) => {
  const { authorization, "x-api-key": key = authorization } = request.headers
  const [, kind] = request.url?.split(/[/?]/) ?? []
  switch (kind) {
    case "refused":
      return response.writeHead(401, json).end(
        JSON.stringify({ error: { message: `No: ${String(key)} ${request.url}` } })
      )
    case "garbage":
      return response.socket?.end(`no HTTP: ${String(key)}\r\n\r\n`)
    case "cut":
      response.writeHead(200, { "content-type": "text/event-stream" }).write(says("Well"))
      return setImmediate(() => response.destroy())
    case "reset":
      return response.socket?.resetAndDestroy()
    default:
      return response.writeHead(200, json).end(
        JSON.stringify({ choices: [{ index: 0, message: { content: "Well" } }] })
      )
  }
}

it(
  "a key and a base URL's query are not in the heap once their layer is closed",
  { timeout: 60_000 },
  async () => {
    const server = Http.createServer((request, response) =>
      void request.resume().on("end", () => answer(request, response))
    )
    server.listen(0, "127.0.0.1")
    await once(server, "listening")
    try {
      const { port } = server.address() as AddressInfo
      assert.deepStrictEqual(await run(`http://127.0.0.1:${port}`), [])
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }
)
