import { Attribute, Metrics } from "@clawback/core/Conventions"
import * as Instrument from "@clawback/core/Instrument"
import * as Effect from "effect/Effect"
import { getActiveResourcesInfo } from "node:process"
import * as NodeProbes from "../NodeProbes.ts"
import type { Observers } from "./observers.ts"

const tally = <A>(all: ReadonlyArray<A>, by: (one: A) => string): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const one of all) counts.set(by(one), (counts.get(by(one)) ?? 0) + 1)
  return counts
}

const states = Instrument.bounded(Attribute.socketState, 32)
const types = Instrument.bounded(Attribute.resourceType, 32)

/** Samples descriptors and sockets, as the kernel counts them, and what keeps the event loop alive. */
export const kernel = (observers: Observers): Effect.Effect<void> => {
  const showSockets = observers.byLabel(Metrics.sockets, states, (state) => ({ [Attribute.socketState]: state }))
  const showResources = observers.byLabel(Metrics.resources, types, (type) => ({ [Attribute.resourceType]: type }))
  let shown: { descriptors: number; limit: number } | undefined
  const look = Effect.gen(function*() {
    const { descriptors, sockets } = yield* NodeProbes.resources()
    const limit = yield* NodeProbes.descriptorLimit()
    if (shown === undefined) {
      observers.add(Metrics.descriptors, {}, () => shown?.descriptors ?? 0)
      observers.add(Metrics.descriptorLimit, {}, () => shown?.limit ?? 0)
    }
    shown = { descriptors, limit }
    showSockets(tally(sockets, ({ state }) => state.toLowerCase()))
  })
  return Effect.andThen(
    Effect.sync(() => showResources(tally(getActiveResourcesInfo(), (type) => type))),
    Effect.ignore(look)
  )
}
