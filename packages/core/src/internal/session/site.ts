/**
 * Where in the code a session is asked for. Only the call itself knows: by the time the effect runs, its caller is no
 * longer on the stack. A stack costs microseconds, so one call in 128 pays, or each while somebody wants all.
 */

const interval = 128
let calls = 0
let demands = 0

/** The call's stack, if it is its turn. */
export const sample = (): Error | undefined => {
  if (demands === 0 && ++calls % interval !== 0) return undefined
  const limit = Error.stackTraceLimit
  Error.stackTraceLimit = 7
  const site = new Error("A session was asked for here")
  Error.stackTraceLimit = limit
  // Until its stack was read, an error keeps the functions and fibers that are on it.
  void site.stack
  return site
}

/** Every call is sampled until what this answers with is called. */
export const demand = (): () => void => {
  let isOver = false
  demands++
  return () => {
    if (!isOver) demands--
    isOver = true
  }
}

/** The caller's frames, our own left out. */
export const format = (site: Error): string =>
  (site.stack ?? "").split("\n").slice(1).map((line) => line.trim())
    .filter((line) => !/\/core\/(?:src|dist)\/(?:Session\.|Shutdown\.|Tasks\.|internal\/)/.test(line))
    .slice(0, 4).join("\n")
