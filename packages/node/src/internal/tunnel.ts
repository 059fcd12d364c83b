/** A tunnel to a server through an HTTP proxy: `CONNECT` on a socket to the proxy. */
import * as TransportError from "@clawback/core/TransportError"
import * as Redacted from "effect/Redacted"
import * as Http from "node:http"
import type * as Net from "node:net"
import type { Address } from "../NodeProxy.ts"

/** Sends `CONNECT` on a socket that is open to the proxy. */
export const open = (
  proxy: Address,
  url: URL,
  socket: Net.Socket,
  settled: (outcome: TransportError.ProxyFailed | Net.Socket) => void
): void => {
  const { origin } = url
  const target = `${url.hostname}:${url.port || (url.protocol === "https:" ? "443" : "80")}`
  const failed = (reason: TransportError.ProxyFailed["reason"], status: number | undefined, cause: Error) =>
    settled(new TransportError.ProxyFailed({ origin, proxy: proxy.url.host, reason, status, cause }))

  const request = Http.request({
    method: "CONNECT",
    path: target,
    headers: {
      host: target,
      ...(proxy.authorization !== undefined && { "proxy-authorization": Redacted.value(proxy.authorization) })
    },
    createConnection: () => socket
  })
  request.once("connect", (response, socket, head) => {
    const status = response.statusCode ?? 0
    if (status >= 200 && status < 300) {
      if (head.length > 0) socket.unshift(head)
      return settled(socket as Net.Socket)
    }
    const cause = new Error(`The proxy responded with status ${status}`)
    failed(status === 407 ? "unauthorized" : "refused", status, cause)
  })
  request.once("error", (cause) => failed("broken", undefined, cause))
  request.end()
}
