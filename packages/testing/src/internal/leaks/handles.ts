/**
 * What this process holds, as the kernel tells it, and where in the code it was asked for, as far as Node tells it.
 *
 * Node reports each socket at its birth, on the stack of whoever opens it. A socket that a server accepted, and a file that
 * was opened in the background, have no such stack: those are told by port and by path.
 */
import * as NodeProbes from "@clawback/node/NodeProbes"
import * as Effect from "effect/Effect"
import * as AsyncHooks from "node:async_hooks"
import * as Fs from "node:fs/promises"
import { callers } from "./callers.ts"

/** An open file descriptor. */
export interface Descriptor {
  readonly fd: number
  /** A path, `socket:[inode]` or `pipe:[inode]`. */
  readonly target: string
  /** Where it is a TCP socket. */
  readonly socket: NodeProbes.Socket | undefined
}

const folder = "/proc/self/fd"

/** The runtime's own, opened when first needed and kept. */
const isRuntime = (target: string) => target.startsWith("anon_inode:")

/** What is open now. Fails where the kernel does not tell. */
export const look: Effect.Effect<ReadonlyArray<Descriptor>, NodeProbes.ProbeUnavailable> = Effect.gen(function*() {
  const sockets = new Map((yield* NodeProbes.sockets()).map((socket) => [`socket:[${socket.inode}]`, socket]))
  const links = yield* Effect.tryPromise({
    try: async () => {
      const names = await Fs.readdir(folder)
      return Promise.all(names.map(async (name) => {
        const target = await Fs.readlink(`${folder}/${name}`).catch(() => undefined)
        return { fd: Number(name), target }
      }))
    },
    catch: (cause) => new NodeProbes.ProbeUnavailable({ path: folder, cause })
  })
  return links.flatMap(({ fd, target }) =>
    // The descriptor by which the folder is read is in the list, and closed by now.
    target === undefined || target.endsWith("/fd") || isRuntime(target)
      ? []
      : [{ fd, target, socket: sockets.get(target) }]
  )
})

const watched = new Set(["TCPWRAP", "TCPSERVERWRAP", "PIPEWRAP", "PIPESERVERWRAP", "UDPWRAP", "FILEHANDLE"])

interface Birth {
  readonly handle: WeakRef<object & { readonly fd?: number }>
  readonly where: ReadonlyArray<string>
}

/** Notes where handles are asked for, until it is stopped. */
export class Births {
  private readonly births = new Map<number, Birth>()
  private readonly hook = AsyncHooks.createHook({
    init: (id, type, _trigger, handle: object) => {
      if (!watched.has(type)) return
      const where = callers(new Error("A handle was opened here").stack ?? "")
      this.births.set(id, { handle: new WeakRef(handle), where })
    },
    destroy: (id) => void this.births.delete(id)
  })

  start(): void {
    this.hook.enable()
  }

  stop(): void {
    this.hook.disable()
    this.births.clear()
  }

  /** Where the handle behind a descriptor was asked for. */
  whereIs(fd: number): ReadonlyArray<string> {
    for (const { handle, where } of this.births.values()) if (handle.deref()?.fd === fd) return where
    return []
  }
}
