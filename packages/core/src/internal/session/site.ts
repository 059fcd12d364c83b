/**
 * Where in the code a session is asked for. The stack is taken in the call: when the effect runs, its caller is no longer on
 * the stack. A stack costs microseconds, so it is taken for one call in 128, or for each while all are demanded.
 */

const interval = 128
let calls = 0
let demands = 0

/** How many frames of the caller are shown. Each one costs more than a microsecond. */
const frames = 4

/** So many frames of Effect may stand between a function that was made by `dual` and its caller: its own, and two of `pipe`. */
export const ofDual = 3

/**
 * The stack of the call of `own`, if this call is sampled. `between` is how many frames may stand between that and the caller
 * that is to be shown.
 */
export const sample = (own: (...args: ReadonlyArray<never>) => unknown, between = 0): string | undefined => {
  if (demands === 0 && ++calls % interval !== 0) return undefined
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = between + frames
  const site: { readonly stack?: string } = {}
  Error.captureStackTrace?.(site, own)
  Error.stackTraceLimit = limit
  // It is read at once: until then, it keeps the functions and fibers that are on it.
  return site.stack ?? ""
}

/** Samples every call, until the returned function is called. */
export const demand = (): () => void => {
  let isOver = false
  demands++
  return () => {
    if (!isOver) demands--
    isOver = true
  }
}

/** Whether a frame is ours, or Effect's. */
const isOurs = (frame: string): boolean =>
  /\/core\/(?:src|dist)\/(?:Pool\.|Session\.|Shutdown\.|Tasks\.|internal\/)/.test(frame) ||
  /\/effect\/(?:src|dist)\//.test(frame)

/** The frames of the caller. */
export const format = (site: string): string =>
  site.split("\n").slice(1).map((line) => line.trim()).filter((line) => !isOurs(line)).slice(0, frames).join("\n")
