/**
 * The slope of points by Theil and Sen: the median of the slopes of all pairs, and its confidence interval.
 *
 * Unlike with least squares, one step cannot hide a steady rise or look like one. The engine makes such steps, for example when
 * it discards code that was not used for long. Source of the interval: P. K. Sen, "Estimates of the Regression Coefficient Based
 * on Kendall's Tau", 1968.
 */

export interface Slope {
  readonly slope: number
  /** The ends of the 95 % confidence interval. */
  readonly lower: number
  readonly upper: number
}

const ascending = (values: ReadonlyArray<number>) => values.toSorted((a, b) => a - b)

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = ascending(values)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return ((low ?? NaN) + (high ?? NaN)) / 2
}

export const slope = (points: ReadonlyArray<{ readonly x: number; readonly y: number }>): Slope => {
  const slopes = ascending(
    points.flatMap((one, i) => points.slice(i + 1).map((other) => (other.y - one.y) / (other.x - one.x)))
  )
  const { length } = points
  const margin = 1.959964 * Math.sqrt(length * (length - 1) * (2 * length + 5) / 18)
  const at = (rank: number) => slopes[Math.max(0, Math.min(slopes.length - 1, rank))] ?? NaN
  return {
    slope: median(slopes),
    lower: at(Math.floor((slopes.length - margin) / 2) - 1),
    upper: at(Math.ceil((slopes.length + margin) / 2))
  }
}
