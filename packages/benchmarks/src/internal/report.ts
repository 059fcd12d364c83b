import { quantile } from "./measure.ts"

/** One figure of ours beside its peer's, from the same run. */
export interface Target {
  readonly name: string
  readonly ratio: number
  readonly target: string
  readonly met: boolean
  readonly ours: number
  readonly peer: number
}

export interface Compared {
  readonly name: string
  readonly unit: string
  readonly ours: ReadonlyArray<number>
  readonly peer: ReadonlyArray<number>
}

/** Ours may cost `limit` more than the peer. */
export const atMostAdded = (limit: number, compared: Compared): Target =>
  judge(compared, `ours - peer <= ${limit} ${compared.unit}`, (ours, peer) => ours - peer, limit, compared.unit)

/** Ours may cost `limit` times what the peer does. */
export const atMostTimes = (limit: number, compared: Compared): Target =>
  judge(compared, `ours / peer <= ${limit}`, (ours, peer) => ours / peer, limit, "x")

/** Ours must do `limit` times what the peer does. */
export const atLeastTimes = (limit: number, compared: Compared): Target =>
  judge(compared, `ours / peer >= ${limit}`, (ours, peer) => ours / peer, limit, "x", (value) => value >= limit)

/**
 * Judges by the median over the rounds. Compares the two samples of each round, since a busy machine slows both.
 */
const judge = (
  { name, ours, peer, unit }: Compared,
  target: string,
  compare: (ours: number, peer: number) => number,
  limit: number,
  comparedUnit: string,
  isMet: (value: number) => boolean = (value) => value <= limit
): Target => {
  const compared = ours.map((value, round) => compare(value, peer[round] ?? NaN))
  const met = isMet(quantile(compared, 0.5))
  console.log(
    [
      `${met ? "met " : "MISS"}  ${name}: ${show(quantile(compared, 0.5))} ${comparedUnit}`,
      `(quartiles ${show(quantile(compared, 0.25))} to ${show(quantile(compared, 0.75))}),`,
      `ours ${show(quantile(ours, 0.5))} ${unit}, peer ${show(quantile(peer, 0.5))} ${unit}; target ${target}`
    ].join(" ")
  )
  const ratio = quantile(ours.map((value, round) => value / (peer[round] ?? NaN)), 0.5)
  return { name, ratio: round(ratio), target, met, ours: round(quantile(ours, 0.5)), peer: round(quantile(peer, 0.5)) }
}

/** Ends a benchmark's output with the line that programs read. */
export const conclude = (name: string, targets: ReadonlyArray<Target>) => {
  console.log(JSON.stringify({ name, met: targets.every((target) => target.met), targets }))
}

const round = (value: number): number => Number(value.toPrecision(4))

const show = (value: number): string => round(value).toLocaleString("en-US")
