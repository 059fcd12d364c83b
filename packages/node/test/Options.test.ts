import { NodeMetrics, NodeProxy, NodeShutdown, NodeTransport } from "@clawback/node"
import * as NodeServer from "@clawback/node/NodeServer"
import { assert, describe, it } from "@effect/vitest"
import { Cause, ConfigProvider, Effect, Exit, Layer, Metric, Redacted } from "effect"

/** Where an option is set, and what it must not be. `any`, since it is what types do not let through. */
type Setting = readonly [name: string, wrong: ReadonlyArray<unknown>, set: (value: any) => unknown]

const transport = (options: NodeTransport.Options) => Layer.build(NodeTransport.layer(options))

const served = (options: NodeServer.Options) => Layer.build(NodeServer.layer({ port: 0, ...options }))

const noUrls = [
  "",
  "proxy.test:3128",
  "ftp://proxy.test",
  "socks5://localhost:1080",
  "http://",
  "http://user%:secret@proxy.test:3128"
]
const noTls = [{ cert: "secret" }, { minVersion: "TLSv9" }, { ciphers: "none" }]

const settings: ReadonlyArray<Setting> = [
  ["maxHeaderSize", [0, -1, NaN, Infinity, 1.5, "3"], (value) => transport({ maxHeaderSize: value })],
  ["connections", [0, NaN], (value) => transport({ connections: value })],
  ["idleTimeToLive", [-1, "soon"], (value) => transport({ idleTimeToLive: value })],
  ["tls", noTls, (value) => transport({ tls: value })],
  ["proxy.http.url", noUrls, (value) => transport({ proxy: { http: { url: value } } })],
  ["proxy.https.url", noUrls, (value) => transport({ proxy: { https: { url: Redacted.make(value) } } })],
  ["proxy.https.tls", noTls, (value) => transport({ proxy: { https: { url: "https://proxy.test:1", tls: value } } })],
  ["drain", [-1, NaN, "soon", "Infinity"], (value) => NodeShutdown.runMain(Effect.void, { drain: value })],
  [
    "ceiling",
    [-1, NaN, "soon", "-1 seconds", "Infinity"],
    (value) => NodeShutdown.runMain(Effect.void, { ceiling: value })
  ],
  ["gracefulShutdownTimeout", [-1, NaN, "soon"], (value) => served({ gracefulShutdownTimeout: value })],
  ["deadline", [-1, NaN, "soon"], (value) => served({ deadline: value })],
  ["options", [{ conections: 1 }, { maxbodysize: 1 }, []], (value) => transport(value)],
  ["options", [{ prot: 1 }, { disablePreemptiveShutdown: true }], (value) => served(value)],
  ["interval", [-1, 0, NaN, "soon"], (value) =>
    Layer.build(NodeMetrics.layer).pipe(
      Effect.provideService(NodeMetrics.interval, value),
      Effect.provideService(Metric.MetricRegistry, new Map())
    )]
]

describe("a wrong option", () => {
  it.effect.each(settings)(
    "`%s` is a RangeError that names it and quotes no secret",
    ([name, wrong, set]) =>
      Effect.forEach(wrong, (value) =>
        Effect.gen(function*() {
          const exit = yield* Effect.suspend(() => {
            const result = set(value)
            return Effect.isEffect(result) ? result as Effect.Effect<unknown> : Effect.void
          }).pipe(Effect.scoped, Effect.exit)
          assert(Exit.isFailure(exit), `${String(value)} was accepted`)
          const error = Cause.squash(exit.cause)
          assert.instanceOf(error, RangeError)
          assert.include(error.message, `\`${name}\``)
          assert.notInclude(error.message, "secret")
        }))
  )

  it.effect("of the environment is a ConfigError", () =>
    Effect.forEach(noUrls.filter((url) => url !== ""), (url) =>
      Effect.gen(function*() {
        const layer = NodeTransport.layerConfig({ proxy: NodeProxy.config })
        const error = yield* Effect.flip(Effect.scoped(Layer.build(layer))).pipe(
          Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown({ https_proxy: url })))
        )
        assert.strictEqual(error._tag, "ConfigError")
        assert.notInclude(error.message, "secret")
      })))
})
