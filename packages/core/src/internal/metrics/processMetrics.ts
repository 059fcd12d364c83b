/** The metrics of the process: memory, event loop, CPU, descriptors and sockets. */
import { Attribute } from "./attributes.ts"
import { define, type Instrument } from "./model.ts"

const delay = (which: string, words: string): Instrument<"gauge", never> => ({
  kind: "gauge",
  name: `nodejs.eventloop.delay.${which}`,
  unit: "s",
  description: `${words} delay of the event loop, in the last interval`,
  labels: []
})

export const processMetrics = {
  memory: define({
    kind: "gauge",
    name: "process.memory.usage",
    unit: "By",
    description: "Physical memory of the process",
    labels: []
  }),
  nonHeap: define({
    kind: "gauge",
    name: "clawback.process.memory.non_heap",
    unit: "By",
    description: "Memory of the process outside of the JavaScript heap",
    labels: [Attribute.memoryKind]
  }),
  heapUsed: define({
    kind: "gauge",
    name: "v8js.memory.heap.used",
    unit: "By",
    description: "Heap that is in use",
    labels: [Attribute.heapSpace]
  }),
  heapSize: define({
    kind: "gauge",
    name: "v8js.memory.heap.space.size",
    unit: "By",
    description: "Heap that is set aside",
    labels: [Attribute.heapSpace]
  }),
  heapLimit: define({
    kind: "gauge",
    name: "clawback.process.memory.heap_limit",
    unit: "By",
    description: "What the heap may grow to before the process dies",
    labels: []
  }),
  gcDuration: define({
    kind: "histogram",
    name: "v8js.gc.duration",
    unit: "s",
    description: "Time that garbage collections took",
    labels: [Attribute.gcType],
    // Those of the conventions begin at 0.01, where most collections are over.
    boundaries: [0.001, 0.01, 0.1, 1, 10]
  }),
  resources: define({
    kind: "gauge",
    name: "v8js.resource.active",
    unit: "{resource}",
    description: "Resources that keep the event loop alive",
    labels: [Attribute.resourceType]
  }),
  eventLoopDelayMin: delay("min", "Least"),
  eventLoopDelayMax: delay("max", "Greatest"),
  eventLoopDelayMean: delay("mean", "Mean"),
  eventLoopDelayStddev: delay("stddev", "Standard deviation of the"),
  eventLoopDelayP50: delay("p50", "Median"),
  eventLoopDelayP90: delay("p90", "90th percentile of the"),
  eventLoopDelayP99: delay("p99", "99th percentile of the"),
  eventLoopUtilization: define({
    kind: "gauge",
    name: "nodejs.eventloop.utilization",
    unit: "1",
    description: "Share of the time that the event loop was busy, in the last interval",
    labels: []
  }),
  eventLoopTime: define({
    kind: "counter",
    name: "nodejs.eventloop.time",
    unit: "s",
    description: "Time that the event loop was busy and idle",
    labels: [Attribute.eventLoopState]
  }),
  cpuTime: define({
    kind: "counter",
    name: "process.cpu.time",
    unit: "s",
    description: "CPU time of the process",
    labels: [Attribute.cpuMode]
  }),
  uptime: define({
    kind: "gauge",
    name: "process.uptime",
    unit: "s",
    description: "Time since the process began",
    labels: []
  }),
  descriptors: define({
    kind: "gauge",
    name: "process.unix.file_descriptor.count",
    unit: "{file_descriptor}",
    description: "File descriptors that the process has open",
    labels: []
  }),
  descriptorLimit: define({
    kind: "gauge",
    name: "clawback.process.file_descriptor.limit",
    unit: "{file_descriptor}",
    description: "File descriptors that the process may have open",
    labels: []
  }),
  sockets: define({
    kind: "gauge",
    name: "clawback.process.sockets",
    unit: "{socket}",
    description: "TCP sockets that the process holds, as the kernel counts them",
    labels: [Attribute.socketState]
  })
} as const
