/** The line through points by least squares, and how sure it is. */

export interface Slope {
  readonly slope: number
  /** The ends of the interval in which it is with a confidence of 95 %. */
  readonly lower: number
  readonly upper: number
}

/** The 97.5 % quantile of Student's t, by the expansion of Cornish and Fisher; right to a hundredth from 6 degrees on. */
const quantile = (degrees: number): number => {
  const z = 1.959964
  return z + (z ** 3 + z) / (4 * degrees) + (5 * z ** 5 + 16 * z ** 3 + 3 * z) / (96 * degrees ** 2)
}

const mean = (values: ReadonlyArray<number>) => values.reduce((sum, value) => sum + value, 0) / values.length

export const slope = (points: ReadonlyArray<{ readonly x: number; readonly y: number }>): Slope => {
  const x = mean(points.map((point) => point.x))
  const y = mean(points.map((point) => point.y))
  const spread = points.reduce((sum, point) => sum + (point.x - x) ** 2, 0)
  const slope = points.reduce((sum, point) => sum + (point.x - x) * (point.y - y), 0) / spread
  const residue = points.reduce((sum, point) => sum + (point.y - y - slope * (point.x - x)) ** 2, 0)
  const degrees = points.length - 2
  const margin = quantile(degrees) * Math.sqrt(residue / degrees / spread)
  return { slope, lower: slope - margin, upper: slope + margin }
}

export const median = (values: ReadonlyArray<number>): number => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  const [low, high] = [sorted[sorted.length % 2 === 0 ? middle - 1 : middle], sorted[middle]]
  return ((low ?? NaN) + (high ?? NaN)) / 2
}
