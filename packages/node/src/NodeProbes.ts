/**
 * The sockets and file descriptors of a process, as the operating system counts them.
 *
 * A registry of our own can be wrong about what it lists; the kernel is not. These probes read Linux's `/proc`. On other
 * systems they fail with `ProbeUnavailable`. Source of the formats: proc_pid_net(5) and `include/net/tcp_states.h`.
 *
 * @stable
 */

import * as ReadableError from "@clawback/core/ReadableError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs/promises"

/** The kernel's count cannot be read: the system is not Linux, or there is no such process of the same user. */
export class ProbeUnavailable extends ReadableError.tagged<ProbeUnavailable>("@clawback/node/ProbeUnavailable")(
  "ProbeUnavailable",
  { path: Schema.String, cause: Schema.Defect() }
) {
  override get message() {
    return `${this.path} cannot be read. The probes need Linux, and a running process of the same user.`
  }
}

/** In the order of the kernel's numbers, which count from 1. */
const states = [
  "ESTABLISHED",
  "SYN_SENT",
  "SYN_RECV",
  "FIN_WAIT1",
  "FIN_WAIT2",
  "TIME_WAIT",
  "CLOSE",
  "CLOSE_WAIT",
  "LAST_ACK",
  "LISTEN",
  "CLOSING",
  "NEW_SYN_RECV"
] as const

export type SocketState = typeof states[number]

/** A TCP socket of a process. */
export interface Socket {
  readonly state: SocketState
  readonly localPort: number
  readonly remotePort: number
  readonly inode: string
}

const read = <A>(path: string, run: () => Promise<A>): Effect.Effect<A, ProbeUnavailable> =>
  Effect.tryPromise({ try: run, catch: (cause) => new ProbeUnavailable({ path, cause }) })

const openFiles = (pid: number | "self"): Effect.Effect<ReadonlyArray<string>, ProbeUnavailable> => {
  const folder = `/proc/${pid}/fd`
  return read(folder, async () => {
    const descriptors = await Fs.readdir(folder)
    // The list includes the descriptor that read the folder, which is closed by now.
    const targets = await Promise.all(
      descriptors.map((name) => Fs.readlink(`${folder}/${name}`).catch(() => undefined))
    )
    return targets.filter((target) => target !== undefined && !target.endsWith("/fd"))
  }).pipe(Effect.map((targets) => targets as ReadonlyArray<string>))
}

const portOf = (address: string) => Number.parseInt(address.slice(address.lastIndexOf(":") + 1), 16)

const parse = (line: string): Socket | undefined => {
  const [, local, remote, state, , , , , , inode] = line.trim().split(/\s+/)
  const name = states[Number.parseInt(state ?? "", 16) - 1]
  if (local === undefined || remote === undefined || inode === undefined || name === undefined) return undefined
  return { state: name, localPort: portOf(local), remotePort: portOf(remote), inode }
}

/** What the kernel counts for a process. */
export interface Resources {
  /** The number of open file descriptors. */
  readonly descriptors: number
  /** The TCP sockets among them. */
  readonly sockets: ReadonlyArray<Socket>
}

/** The descriptors and sockets of a process (default: this one), read at once. It takes time for each open descriptor. */
export const resources = (pid: number | "self" = "self"): Effect.Effect<Resources, ProbeUnavailable> =>
  Effect.gen(function*() {
    const own = new Set<string>()
    const targets = yield* openFiles(pid)
    for (const target of targets) {
      const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1]
      if (inode !== undefined) own.add(inode)
    }
    const found: Array<Socket> = []
    for (const path of [`/proc/${pid}/net/tcp`, `/proc/${pid}/net/tcp6`]) {
      const table = yield* read(path, () => Fs.readFile(path, "utf8"))
      for (const line of table.split("\n").slice(1)) {
        const socket = parse(line)
        if (socket !== undefined && own.has(socket.inode)) found.push(socket)
      }
    }
    return { descriptors: targets.length, sockets: found }
  })

/** The TCP sockets of a process (default: this one). A socket in TIME_WAIT belongs to no process. */
export const sockets = (pid: number | "self" = "self"): Effect.Effect<ReadonlyArray<Socket>, ProbeUnavailable> =>
  Effect.map(resources(pid), ({ sockets }) => sockets)

/** The number of open file descriptors of a process (default: this one). */
export const descriptors = (pid: number | "self" = "self"): Effect.Effect<number, ProbeUnavailable> =>
  Effect.map(openFiles(pid), (targets) => targets.length)

/** The limit on open file descriptors of a process (default: this one). */
export const descriptorLimit = (pid: number | "self" = "self"): Effect.Effect<number, ProbeUnavailable> => {
  const path = `/proc/${pid}/limits`
  return Effect.map(read(path, () => Fs.readFile(path, "utf8")), (limits) => {
    const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
    return soft === undefined || soft === "unlimited" ? Infinity : Number(soft)
  })
}
