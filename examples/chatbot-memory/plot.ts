/** Draws the memory of both applications, and the time of a turn, over the hours of the trace. */
import type { Sample } from "./application.ts"
import type { Recording } from "./table.ts"

const width = 860
const height = 300
const margin = { left: 64, right: 16, top: 34, bottom: 34 }
const colors = ["#c8442f", "#3567a8"]

const round = (value: number) => value.toFixed(1)

/** A round number of about a fifth of the range. */
const step = (most: number): number => {
  const rough = most / 5
  const power = 10 ** Math.floor(Math.log10(rough))
  return ([1, 2, 5, 10].find((factor) => factor * power >= rough) ?? 10) * power
}

interface Chart {
  readonly title: string
  readonly unit: string
  readonly value: (sample: Sample) => number
}

const chart = ({ title, unit, value }: Chart, recordings: ReadonlyArray<Recording>, top: number): string => {
  const until = Math.max(0.01, ...recordings.map(({ samples }) => samples.at(-1)?.hours ?? 0))
  const most = Math.max(0.001, ...recordings.flatMap(({ samples }) => samples.map(value))) * 1.05
  const x = (hours: number) => margin.left + hours / until * (width - margin.left - margin.right)
  const y = (of: number) => top + height - margin.bottom - of / most * (height - margin.top - margin.bottom)
  const line = ({ samples }: Recording) =>
    samples.map((sample, index) => `${index === 0 ? "M" : "L"}${round(x(sample.hours))},${round(y(value(sample)))}`)
      .join("")
  const rows = Array.from({ length: Math.floor(most / step(most)) + 1 }, (_, row) => row * step(most))
  const columns = Array.from({ length: Math.floor(until / step(until)) + 1 }, (_, column) => column * step(until))
  return [
    `<text x="${margin.left}" y="${top + 20}" class="title">${title}</text>`,
    ...rows.map((of) =>
      `<path d="M${margin.left},${round(y(of))}H${width - margin.right}" stroke="#e4e4e4"/><text x="${
        margin.left - 8
      }" y="${round(y(of) + 4)}" text-anchor="end">${Number(of.toPrecision(3))} ${unit}</text>`
    ),
    ...columns.map((hours) =>
      `<text x="${round(x(hours))}" y="${top + height - margin.bottom + 18}" text-anchor="middle">${
        Number(hours.toPrecision(3))
      } h</text>`
    ),
    ...recordings.map((recording, index) => {
      const end = recording.samples.at(-1)
      const path = `<path d="${line(recording)}" fill="none" stroke="${colors[index]}" stroke-width="2"/>`
      return recording.died === undefined || end === undefined
        ? path
        : `${path}<text x="${round(x(end.hours))}" y="${round(y(value(end)) + 5)}" fill="${
          colors[index]
        }" class="title" text-anchor="middle">✕</text>`
    })
  ].join("\n")
}

export const plot = (recordings: ReadonlyArray<Recording>): string => {
  const all = 2 * height + 30
  const legend = recordings.map(({ died, name }, index) =>
    `<rect x="${margin.left + index * 220}" y="${all - 26}" width="12" height="12" fill="${colors[index]}"/><text x="${
      margin.left + index * 220 + 18
    }" y="${all - 16}">${name}${died === undefined ? "" : " (✕ out of memory)"}</text>`
  )
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${all}" viewBox="0 0 ${width} ${all}">`,
    `<style>text{font:12px sans-serif;fill:#333}.title{font-weight:bold;font-size:14px}</style>`,
    `<rect width="100%" height="100%" fill="#fff"/>`,
    chart(
      { title: "Memory of histories, after a garbage collection", unit: "MB", value: ({ bytes }) => bytes / 1e6 },
      recordings,
      0
    ),
    chart({ title: "Median time of a turn", unit: "ms", value: ({ median }) => median }, recordings, height),
    ...legend,
    "</svg>\n"
  ].join("\n")
}
