/** Clients of servers in other processes. */
import * as NodeProbes from "@clawback/node/NodeProbes"
import { Effect } from "effect"
import { once } from "node:events"
import * as Http from "node:http"
import * as Net from "node:net"
import { setTimeout } from "node:timers/promises"
import { onTestFinished } from "vitest"

/** A response, and whether its body is complete by the rules of HTTP. */
export interface Answer {
  readonly status: number | undefined
  readonly body: string
  readonly isWhole: boolean
}

export const get = (port: number, path: string, onData: () => void = () => {}): Promise<Answer> =>
  new Promise((resolve, reject) => {
    Http.get({ port, path, host: "127.0.0.1", agent: false, headers: { connection: "keep-alive" } }, (response) => {
      let body = ""
      response.setEncoding("utf8").on("data", (chunk: string) => {
        body += chunk
        onData()
      })
      response.on("error", () => {})
      response.on("close", () => resolve({ status: response.statusCode, body, isWhole: response.complete }))
    }).on("error", reject)
  })

/** Opens `count` streams, and waits for the first bytes of each. */
export const openStreams = async (port: number, path: string, count: number, onEnd: () => void = () => {}) => {
  const answers: Array<Promise<Answer>> = []
  const open = () =>
    new Promise<void>((began) => {
      answers.push(get(port, path, began).finally(onEnd))
    })
  await Promise.all(Array.from({ length: count }, open))
  return { answers: Promise.all(answers) }
}

/** Polls, since the other process does not report its progress. */
export const until = async (holds: () => Promise<boolean>): Promise<void> => {
  if (await holds()) return
  await setTimeout(20)
  return until(holds)
}

export const isRefused = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = Net.connect({ port, host: "127.0.0.1" })
    socket.once("connect", () => {
      socket.destroy()
      resolve(false)
    })
    socket.once("error", () => resolve(true))
  })

/** This process's connections to a port, as the kernel sees them, without those in TIME_WAIT. */
export const connectionsTo = async (port: number) =>
  (await Effect.runPromise(NodeProbes.sockets())).filter(({ remotePort }) => remotePort === port)

/** Opens a connection and sends `said`, and nothing else. */
export const connect = async (port: number, said: string) => {
  const socket = Net.connect({ port, host: "127.0.0.1" })
  onTestFinished(() => void socket.destroy())
  socket.on("error", () => {})
  await once(socket, "connect")
  socket.write(said)
  return socket
}

export const lastEvent = ({ body }: Answer) => body.trimEnd().split("\n\n").at(-1)?.split("\n")[0]
