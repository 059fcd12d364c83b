/**
 * Where in the code a session is asked for. The stack is taken in the call: when the effect runs, its caller is no longer on
 * the stack. A stack costs microseconds, so it is taken for one call in 128, or for each while all are demanded.
 */

const interval = 128
let calls = 0
let demands = 0

/** The stack of the call, if this call is sampled. */
export const sample = (): Error | undefined => {
  if (demands === 0 && ++calls % interval !== 0) return undefined
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 10
  const site = new Error("A session was asked for here")
  Error.stackTraceLimit = limit
  // Until its stack was read, an error keeps the functions and fibers that are on it.
  void site.stack
  return site
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
  /\/core\/(?:src|dist)\/(?:Session\.|Shutdown\.|Tasks\.|internal\/)/.test(frame) ||
  /\/effect\/(?:src|dist)\//.test(frame)

/** The frames of the caller. */
export const format = (site: Error): string =>
  (site.stack ?? "").split("\n").slice(1).map((line) => line.trim()).filter((line) => !isOurs(line)).slice(0, 4).join(
    "\n"
  )
