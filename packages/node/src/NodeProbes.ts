/**
 * What the operating system says that a process holds: its sockets and its file descriptors.
 *
 * A ledger can be wrong about what it keeps; the kernel is not. These probes read Linux's `/proc`; elsewhere they fail
 * with `ProbeUnavailable`. Source of the formats: proc_pid_net(5) and `include/net/tcp_states.h`.
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Fs from "node:fs/promises"

/** The kernel does not tell: not Linux, no such process, or not ours to look at. */
export class ProbeUnavailable extends Schema.TaggedError<ProbeUnavailable>("@clawback/node/ProbeUnavailable")(
  "ProbeUnavailable",
  { path: Schema.String, cause: Schema.Defect() }
) {
  override get message() {
    return `${this.path} cannot be read. The probes need Linux, and a running process of the same user.`
  }
}

/** By number, as the kernel writes it, from 1. */
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

/** A TCP socket that a process holds. */
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
    // The descriptor by which the folder is read is in the list, and closed by now.
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

/** What a process holds of the kernel. */
export interface Held {
  /** How many file descriptors it has open. */
  readonly descriptors: number
  /** The TCP sockets among them. */
  readonly sockets: ReadonlyArray<Socket>
}

/** Descriptors and sockets of a process (default: this one) by one look, which takes time for each that is open. */
export const held = (pid: number | "self" = "self"): Effect.Effect<Held, ProbeUnavailable> =>
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

/** The TCP sockets that a process holds (default: this one). One that is in TIME_WAIT belongs to nobody any more. */
export const sockets = (pid: number | "self" = "self"): Effect.Effect<ReadonlyArray<Socket>, ProbeUnavailable> =>
  Effect.map(held(pid), ({ sockets }) => sockets)

/** How many file descriptors a process has open (default: this one). */
export const descriptors = (pid: number | "self" = "self"): Effect.Effect<number, ProbeUnavailable> =>
  Effect.map(openFiles(pid), (targets) => targets.length)

/** How many file descriptors a process may have open (default: this one). */
export const descriptorLimit = (pid: number | "self" = "self"): Effect.Effect<number, ProbeUnavailable> => {
  const path = `/proc/${pid}/limits`
  return Effect.map(read(path, () => Fs.readFile(path, "utf8")), (limits) => {
    const soft = /^Max open files\s+(\S+)/m.exec(limits)?.[1]
    return soft === undefined || soft === "unlimited" ? Infinity : Number(soft)
  })
}
