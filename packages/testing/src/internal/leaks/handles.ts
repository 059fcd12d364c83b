/**
 * The handles of this process, by the kernel, and the code that opened them, by Node.
 *
 * Node reports each new handle on the stack that opens it, or with the id of its cause, such as the request to open a file, or
 * the server that accepted a socket.
 */
import * as NodeProbes from "@clawback/node/NodeProbes"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as AsyncHooks from "node:async_hooks"
import * as Fs from "node:fs/promises"
import * as Trail from "./trail.ts"

/** An open file descriptor. */
export interface Descriptor {
  readonly fd: number
  /** A path, `socket:[inode]` or `pipe:[inode]`. */
  readonly target: string
  /** Present if it is a TCP socket. */
  readonly socket: NodeProbes.Socket | undefined
}

const folder = "/proc/self/fd"

/** The runtime's own descriptors, opened when first needed and kept. */
const isRuntime = (target: string) => target.startsWith("anon_inode:")

/** The open descriptors. Fails on systems without `/proc`. */
const look: Effect.Effect<ReadonlyArray<Descriptor>, NodeProbes.ProbeUnavailable> = Effect.gen(function*() {
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
    // The descriptor that reads the folder is in the list, and already closed.
    target === undefined || target.endsWith("/fd") || isRuntime(target)
      ? []
      : [{ fd, target, socket: sockets.get(target) }]
  )
})

/** On systems without `/proc`, no descriptor is listed before or after. */
export const kernel: Effect.Effect<ReadonlyArray<Descriptor>> = Effect.orElseSucceed(look, () => [])

export const keyOf = ({ fd, target }: Descriptor): string => `${fd} ${target}`

const handles = new Set(["TCPWRAP", "TCPSERVERWRAP", "PIPEWRAP", "PIPESERVERWRAP", "UDPWRAP", "FILEHANDLE"])
/** Something that may cause a handle later. */
const requests = new Set(["FSREQPROMISE", "GETADDRINFOREQWRAP"])

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** The origin of a handle. */
export class Birth {
  readonly isAccepted: boolean
  /** The fiber that opened it, and its context. */
  readonly fiber: AnyFiber | undefined
  readonly context: Context.Context<never> | undefined
  private readonly handle: WeakRef<object & { readonly fd?: number }>
  private readonly stack: Trail.Place
  private readonly place: Trail.Place | undefined
  private readonly from: Birth | undefined

  constructor(handle: object, from: Birth | undefined, isAccepted: boolean, above: (...args: never) => unknown) {
    this.handle = new WeakRef(handle)
    this.stack = Trail.stackHere(above)
    this.place = Trail.here()
    this.fiber = Fiber.getCurrent()
    this.context = this.fiber?.context
    this.from = from
    this.isAccepted = isAccepted
  }

  get fd(): number | undefined {
    return this.handle.deref()?.fd
  }

  /** The code that opened it. */
  get where(): ReadonlyArray<string> {
    if (this.isAccepted) return []
    const own = [...new Set([...this.stack.lines, ...this.place?.lines ?? []])]
    return own.length === 0 && this.from !== undefined ? this.from.where : own
  }
}

/** Records which code opens handles, until it is stopped. */
export class Births {
  private readonly births = new Map<number, Birth>()
  private readonly servers = new Set<number>()
  private readonly hook: AsyncHooks.AsyncHook

  constructor() {
    const init = (id: number, type: string, trigger: number, handle: object) => {
      if (!handles.has(type) && !requests.has(type)) return
      if (type.endsWith("SERVERWRAP")) this.servers.add(id)
      this.births.set(id, new Birth(handle, this.births.get(trigger), this.servers.has(trigger), init))
    }
    this.hook = AsyncHooks.createHook({
      init,
      destroy: (id) => {
        this.births.delete(id)
        this.servers.delete(id)
      }
    })
  }

  start(): void {
    this.hook.enable()
  }

  stop(): void {
    this.hook.disable()
    this.births.clear()
  }

  /** The origin of a descriptor's handle. */
  of(fd: number): Birth | undefined {
    for (const birth of this.births.values()) if (birth.fd === fd) return birth
    return undefined
  }
}
