/** How a caller ends an item that it knows by its value. */
import * as Effect from "effect/Effect"
import { Current } from "../session/current.ts"
import { SessionRecord } from "../session/record.ts"
import type { Core } from "./core.ts"
import { loansAround } from "./item.ts"

/** Two items may be the same value: the caller means the one that it has borrowed, if it has. */
export const invalidateIn = <A, E>(cores: ReadonlyArray<Core<A, E>>, item: A): Effect.Effect<void> =>
  Effect.withFiber((fiber) => {
    const current = fiber.getRef(Current)
    const around = current instanceof SessionRecord ? current : undefined
    for (const core of cores) {
      const own = loansAround(around, core).map(({ entry }) => entry)
      const entries = [...own, ...core.machine.entries] as typeof core.machine.entries
      for (const entry of entries) {
        const { ending, resource } = entry
        if (ending !== undefined || resource === undefined || !Object.is(resource.resource, item)) continue
        core.end(entry, "invalidated")
        return Effect.void
      }
    }
    return Effect.void
  })
