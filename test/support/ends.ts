/** The connections between this process and a server in another one, as the kernel lists them at both ends. */
import { NodeProbes } from "@clawback/node"
import { Effect } from "effect"

export interface Peer {
  readonly pid: number
  readonly port: number
}

/** The states of the sockets at each end. */
export interface Ends {
  readonly here: ReadonlyArray<NodeProbes.SocketState>
  readonly there: ReadonlyArray<NodeProbes.SocketState>
}

/** One look at the connections to each of several servers. */
export const lookAll = Effect.fnUntraced(function*(peers: ReadonlyArray<Peer>): Effect.fn.Return<
  ReadonlyArray<Ends>,
  NodeProbes.ProbeUnavailable
> {
  const [ours, ...theirs] = yield* Effect.all(
    [NodeProbes.sockets(), ...peers.map(({ pid }) => NodeProbes.sockets(pid))],
    { concurrency: "unbounded" }
  )
  return peers.map(({ port }, i) => ({
    here: ours.filter(({ remotePort }) => remotePort === port).map(({ state }) => state),
    there: (theirs[i] ?? [])
      .filter(({ localPort, state }) => localPort === port && state !== "LISTEN")
      .map(({ state }) => state)
  }))
})

export const look = (peer: Peer): Effect.Effect<Ends, NodeProbes.ProbeUnavailable> =>
  Effect.map(lookAll([peer]), ([ends = { here: [], there: [] }]) => ends)

/** Whether there are exactly so many connections, all of them whole at both ends. */
export const areWhole = ({ here, there }: Ends, count: number): boolean =>
  [here, there].every((states) => states.length === count && states.every((state) => state === "ESTABLISHED"))
