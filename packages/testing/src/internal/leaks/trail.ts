/**
 * The line of user code that caused something, when this line is no longer on the stack.
 *
 * An effect runs long after the line that created it. But each `yield*` in a generator calls its effect's iterator, with its line
 * on the stack. There the line is recorded, for the fiber and for everything that is started from it: Effect and Node pass the
 * record from callback to callback.
 */
import * as Fiber from "effect/Fiber"
import { SingleShotGen } from "effect/Utils"
import { AsyncLocalStorage } from "node:async_hooks"
import { callers, isOwn } from "./callers.ts"

type AnyFiber = Fiber.Fiber<unknown, unknown>

/** Runs with stacks of this many lines. */
const withLimit = <A>(limit: number, run: () => A): A => {
  const before = Error.stackTraceLimit
  Error.stackTraceLimit = limit
  try {
    return run()
  } finally {
    Error.stackTraceLimit = before
  }
}

/** A stack that is formatted only when it is read, since formatting takes long. */
export class Place {
  /** Set by the engine. */
  declare private readonly stack: string
  private told: ReadonlyArray<string> | undefined

  /** The stack here, without what is above `from`. */
  constructor(from: (...args: never) => unknown, limit: number) {
    withLimit(limit, () => Error.captureStackTrace(this, from))
  }

  get lines(): ReadonlyArray<string> {
    return this.told ??= callers(this.stack)
  }
}

/** Libraries call each other many times until one opens a socket. */
const deep = 64

/** The stack here, without what is above `from`. */
export const stackHere = (from: (...args: never) => unknown): Place => new Place(from, deep)

const sites = (_: Error, sites: Array<NodeJS.CallSite>) => sites

/** Whether the calling function is user code. Reading its file name is fast. */
const isCalledByOwn = (from: (...args: never) => unknown): boolean => {
  const { prepareStackTrace } = Error
  Error.prepareStackTrace = sites
  try {
    const holder: { readonly stack?: unknown } = {}
    withLimit(1, () => Error.captureStackTrace(holder, from))
    const [site] = Array.isArray(holder.stack) ? holder.stack as Array<NodeJS.CallSite> : []
    const file = site?.getFileName()
    return typeof file === "string" && isOwn(file)
  } finally {
    Error.prepareStackTrace = prepareStackTrace
  }
}

const started = new AsyncLocalStorage<Place>()
const latest = new WeakMap<AnyFiber, Place>()

/** The line at which a fiber continued last. */
export const ofFiber = (fiber: AnyFiber): Place | undefined => latest.get(fiber)

/** The line from which this was started. */
export const here = (): Place | undefined => {
  const fiber = Fiber.getCurrent()
  return (fiber && latest.get(fiber)) ?? started.getStore()
}

const note = (from: (...args: never) => unknown) => {
  const fiber = Fiber.getCurrent()
  if (fiber === undefined || !isCalledByOwn(from)) return
  const place = new Place(from, 1)
  latest.set(fiber, place)
  started.enterWith(place)
}

type Next = (this: SingleShotGen<unknown, unknown>, value: unknown) => IteratorResult<unknown, unknown>

let watchers = 0
let original: Next | undefined

/** Records lines until the returned function is called. */
export const watch = (): () => void => {
  const { prototype } = SingleShotGen<unknown, unknown>
  if (watchers++ === 0) {
    const next: Next = original = prototype.next
    prototype.next = function noting(value) {
      const result = next.call(this, value)
      if (result.done !== true) note(noting)
      return result
    }
  }
  let isOver = false
  return () => {
    if (isOver) return
    isOver = true
    if (--watchers === 0 && original !== undefined) prototype.next = original
  }
}
