/**
 * The connections that Node's own clients keep for the next request: `fetch` (and undici's agents) and `node:http`'s global
 * agent.
 *
 * Such a pool serves the whole process, and closes an unused connection within seconds. A response that is read to its end has
 * returned its connection. A connection with an unfinished response does not count as kept.
 */
import * as DiagnosticsChannel from "node:diagnostics_channel"
import * as Http from "node:http"
import * as Https from "node:https"
import type { Socket } from "node:net"
import * as Trail from "./trail.ts"

/** What undici publishes. */
interface Message {
  readonly request?: { readonly method: string; readonly origin: unknown; readonly path: string }
  readonly socket?: Socket
  readonly error?: unknown
}

/** A request, and where it was made. */
class Asked {
  /** Without its query, in which a secret may be. */
  readonly what: string
  private readonly places: ReadonlyArray<Trail.Place>

  constructor({ method, origin, path }: NonNullable<Message["request"]>, above: (message: Message) => void) {
    this.what = `${method} ${String(origin)}${path.replace(/\?.*$/s, "")}`
    const place = Trail.here()
    this.places = [Trail.stackHere(above), ...place === undefined ? [] : [place]]
  }

  get where(): ReadonlyArray<string> {
    return [...new Set(this.places.flatMap(({ lines }) => lines))]
  }
}

/** Undici's open connections, each with its requests whose responses have not ended. */
const kept = new Map<Socket, Set<object>>()
const asked = new WeakMap<object, Asked>()
const watchers = new Set<Watcher>()
let isListening = false

/** The error of undici when a response is unread and its reader was collected. */
const isCollected = (error: unknown) => /garbage collected/.test(String(error))

const on = (name: string, listener: (message: Message) => void) =>
  DiagnosticsChannel.subscribe(`undici:${name}`, (message) => listener(message as Message))

const ended = ({ error, request }: Message) => {
  if (request === undefined) return
  for (const requests of kept.values()) requests.delete(request)
  const one = asked.get(request)
  if (one === undefined || !isCollected(error)) return
  for (const { collected, made } of watchers) if (made.has(request)) collected.push(one)
}

/** Active from the first use on, since a connection outlives the test that opened it. */
const listen = () => {
  if (isListening) return
  isListening = true
  on("client:connected", ({ socket }) => {
    if (socket === undefined) return
    kept.set(socket, new Set())
    socket.once("close", () => kept.delete(socket))
  })
  const onCreate = ({ request }: Message) => {
    if (request === undefined || watchers.size === 0) return
    asked.set(request, new Asked(request, onCreate))
    for (const { made } of watchers) made.add(request)
  }
  on("request:create", onCreate)
  on("client:sendHeaders", ({ request, socket }) => {
    if (request !== undefined && socket !== undefined) kept.get(socket)?.add(request)
  })
  on("request:trailers", ended)
  on("request:error", ended)
}

/** Watches requests from now on. */
export class Watcher {
  readonly made = new WeakSet<object>()
  /** The requests whose unread responses were collected, which closed their connections. */
  readonly collected: Array<Asked> = []

  start(): void {
    listen()
    watchers.add(this)
  }

  stop(): void {
    watchers.delete(this)
  }
}

/** The local ports of connections that wait for the next request. */
export const idle = (): ReadonlySet<number> => {
  const ports = new Set<number>()
  const add = ({ localPort }: Socket) => localPort !== undefined && ports.add(localPort)
  for (const [socket, { size }] of kept) if (size === 0) add(socket)
  for (const { freeSockets } of [Http.globalAgent, Https.globalAgent]) {
    for (const sockets of Object.values(freeSockets)) sockets?.forEach(add)
  }
  return ports
}

/** The origins of the requests in flight on the connection from a local port. */
export const requestedAt = (port: number): ReadonlyArray<string> => {
  for (const [socket, requests] of kept) {
    if (socket.localPort !== port) continue
    return [...requests].flatMap((request) => asked.get(request)?.where ?? [])
  }
  return []
}
