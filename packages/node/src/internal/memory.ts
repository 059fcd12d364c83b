import { Attribute, Metrics } from "@clawback/core/Conventions"
import { cpuUsage, memoryUsage, uptime } from "node:process"
import * as V8 from "node:v8"
import type { Observers } from "./observers.ts"

/** Memory, CPU time and age, which can be read at any moment. */
export const memory = (observers: Observers): void => {
  observers.add(Metrics.memory, {}, () => memoryUsage.rss())
  const nonHeap = (kind: string, of: (usage: NodeJS.MemoryUsage) => number) =>
    observers.add(Metrics.nonHeap, { [Attribute.memoryKind]: kind }, () => Math.max(0, of(memoryUsage())))
  nonHeap("array_buffers", ({ arrayBuffers }) => arrayBuffers)
  // V8's figure includes the array buffers.
  nonHeap("external", ({ arrayBuffers, external }) => external - arrayBuffers)
  nonHeap("other", ({ external, heapTotal, rss }) => rss - heapTotal - external)

  for (const [i, { space_name }] of V8.getHeapSpaceStatistics().entries()) {
    const labels = { [Attribute.heapSpace]: space_name }
    observers.add(Metrics.heapUsed, labels, () => V8.getHeapSpaceStatistics()[i]?.space_used_size ?? 0)
    observers.add(Metrics.heapSize, labels, () => V8.getHeapSpaceStatistics()[i]?.space_size ?? 0)
  }
  observers.add(Metrics.heapLimit, {}, () => V8.getHeapStatistics().heap_size_limit)

  observers.add(Metrics.cpuTime, { [Attribute.cpuMode]: "user" }, () => cpuUsage().user / 1e6)
  observers.add(Metrics.cpuTime, { [Attribute.cpuMode]: "system" }, () => cpuUsage().system / 1e6)
  observers.add(Metrics.uptime, {}, uptime)
}
