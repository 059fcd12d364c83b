/** Draws the two recordings: connections that are open, and those that are idle in a transaction, over time. */
import type { Recording, Sample } from "./Activity.ts"

const width = 860
const height = 300
const margin = { left: 46, right: 16, top: 34, bottom: 34 }
const colors = { open: "#3567a8", idle: "#c8442f", limit: "#777777" }

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")

const round = (value: number) => value.toFixed(1)

/** Draws one recording below the height `top`, on the axes that both share. */
const chart = (recording: Recording, title: string, top: number, until: number): string => {
  const { maxConnections, samples } = recording
  const most = maxConnections * 1.15
  const x = (at: number) => margin.left + at / until * (width - margin.left - margin.right)
  const y = (count: number) => top + height - margin.bottom - count / most * (height - margin.top - margin.bottom)

  /** A value holds until the next sample. */
  const steps = (value: (sample: Sample) => number) =>
    samples.map((sample, index) => {
      const [across, up] = [round(x(sample.at)), round(y(value(sample)))]
      return index === 0 ? `M${across},${up}` : `H${across}V${up}`
    }).join("")
  const area = (value: (sample: Sample) => number) => `${steps(value)}V${round(y(0))}H${round(x(samples[0]?.at ?? 0))}Z`

  const seconds = Array.from({ length: Math.floor(until / 1000) + 1 }, (_, second) => second)
  const rows = Array.from({ length: Math.floor(maxConnections / 5) + 1 }, (_, row) => row * 5)
  return [
    `<text x="${margin.left}" y="${top + 20}" class="title">${escaped(title)}</text>`,
    ...rows.map((row) =>
      `<path d="M${margin.left},${round(y(row))}H${width - margin.right}" stroke="#e4e4e4"/><text x="${
        margin.left - 8
      }" y="${round(y(row) + 4)}" text-anchor="end">${row}</text>`
    ),
    ...seconds.map((second) =>
      `<text x="${round(x(second * 1000))}" y="${
        top + height - margin.bottom + 18
      }" text-anchor="middle">${second} s</text>`
    ),
    `<path d="${area(({ idleInTransaction }) => idleInTransaction)}" fill="${colors.idle}" fill-opacity="0.25"/>`,
    `<path d="${
      steps(({ idleInTransaction }) => idleInTransaction)
    }" fill="none" stroke="${colors.idle}" stroke-width="1.5"/>`,
    `<path d="${steps(({ open }) => open)}" fill="none" stroke="${colors.open}" stroke-width="2"/>`,
    `<path d="M${margin.left},${round(y(maxConnections))}H${
      width - margin.right
    }" stroke="${colors.limit}" stroke-dasharray="6 4"/>`,
    `<text x="${width - margin.right}" y="${round(y(maxConnections) - 5)}" text-anchor="end">max_connections</text>`
  ].join("\n")
}

const legend = (y: number): string =>
  [[colors.open, "open connections"], [colors.idle, "idle in transaction"]].map(([color, text], index) =>
    `<rect x="${margin.left + index * 170}" y="${y - 10}" width="12" height="12" fill="${color}"/><text x="${
      margin.left + index * 170 + 18
    }" y="${y}">${text}</text>`
  ).join("\n")

/** One picture of both, as SVG. */
export const plot = (charts: ReadonlyArray<readonly [title: string, recording: Recording]>): string => {
  const until = Math.max(1000, ...charts.map(([, { samples }]) => samples.at(-1)?.at ?? 0))
  const all = charts.length * height + 30
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${all}" viewBox="0 0 ${width} ${all}">`,
    `<style>text{font:12px sans-serif;fill:#333}.title{font-weight:bold;font-size:14px}</style>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    ...charts.map(([title, recording], index) => chart(recording, title, index * height, until)),
    legend(charts.length * height + 14),
    `</svg>\n`
  ].join("\n")
}
