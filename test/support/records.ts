/** The objects that records of open sessions reach, to check that they keep nothing of their openers. */
import { type Session, SessionRegistry } from "@clawback/core"
import { Effect, Fiber, Tracer } from "effect"
import { type Kernel, kernelOf } from "../../packages/core/src/internal/session/kernel.ts"
import { TypeId } from "../../packages/core/src/internal/session/model.ts"

/** Left out: fibers, which keep their work; other records, which are checked by themselves; and the simulation. */
const isOpaque = (value: object): boolean =>
  Fiber.isFiber(value) || "ledger" in value || ["Run", "VirtualClock", "WeakRef"].includes(value.constructor?.name)

/** Every object that one refers to, at any depth. A function hides what it refers to. */
const reached = (from: object): ReadonlySet<object> => {
  const found = new Set<object>()
  const rest: Array<unknown> = Object.values(from)
  while (rest.length > 0) {
    const value = rest.pop()
    if (typeof value !== "object" || value === null || found.has(value) || isOpaque(value)) continue
    found.add(value)
    if (value instanceof Map) rest.push(...value.keys(), ...value.values())
    else if (value instanceof Set) rest.push(...value)
    else rest.push(...Object.values(value))
  }
  return found
}

/** The records of a registry, as it keeps them. */
export class Records {
  private readonly all = new Set<Session.Session>()

  /** Runs an effect in the registry in force, and knows what is opened in it. */
  readonly watch = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
    Effect.flatMap(
      SessionRegistry.SessionRegistry,
      (registry) =>
        Effect.provideService(effect, SessionRegistry.SessionRegistry, {
          ...registry,
          [TypeId]: this.watched(kernelOf(registry))
        })
    )

  private watched(kernel: Kernel): Kernel {
    const open: Kernel["open"] = (info, fiber, parent, site) => {
      const opened = kernel.open(info, fiber, parent, site)
      if ("isOpen" in opened) this.all.add(opened)
      return opened
    }
    return Object.create(kernel, { open: { value: open } })
  }

  private get open(): ReadonlyArray<Session.Session> {
    for (const session of this.all) if (!session.isOpen) this.all.delete(session)
    return [...this.all]
  }

  /** Whether a record refers to an object. */
  keeps(object: object): boolean {
    return this.open.some((session) => reached(session).has(object))
  }
}

/** Whether the record of a session refers to a span. */
export const keepsSpan = (session: Session.Session): boolean =>
  [...reached(session)].some((one) => one instanceof Tracer.NativeSpan)
