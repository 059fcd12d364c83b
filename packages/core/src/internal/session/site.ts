/**
 * Where in the code a session is asked for. The stack is taken in the call: when the effect runs, its caller is no longer on
 * the stack. A stack costs microseconds, so it is taken for one call in 128, or for each while all are demanded.
 */
import * as Interop from "../interop.ts"

const interval = 128
let calls = 0
let demands = 0

/** How many frames of the caller are shown. Each one costs more than a microsecond. */
const frames = 4

/** So many frames of Effect may stand between a function that was made by `dual` and its caller: its own, and two of `pipe`. */
export const ofDual = 3

/** The same for a function that `pipe` calls. */
export const ofPipe = 2

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

/** The folder that our packages share, as a stack names it. An app that bundles us has none. */
const [, folder] = /^(?:file:\/\/)?(.*\/)core\/(?:src|dist)\//.exec(Interop.place) ?? []

/** The folders of our packages. A package manager may put each into a folder of its own, below our scope. */
const ours = new RegExp(
  `(?:/node_modules/@clawback/${folder === undefined ? "" : `|${folder.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}`})`
    + "(?:core|node|providers|telemetry|testing)/(?:src|dist)/"
)

/** Whether a frame is ours, Effect's, or the engine's. */
const isOurs = (frame: string): boolean =>
  ours.test(frame) || /\/effect\/(?:src|dist)\//.test(frame) || frame.includes("<anonymous>")

/** The frames of the caller. Undefined if none is known: what runs in a fiber has no caller on the stack. */
export const format = (site: string): string | undefined => {
  const lines = site.split("\n").slice(1).map((line) => line.trim()).filter((line) => line !== "" && !isOurs(line))
  return lines.length === 0 ? undefined : lines.slice(0, frames).join("\n")
}
