/** A program with tracing that streams one answer, and shuts down: `node tracedServer.ts PROVIDER COLLECTOR`. */
import { Credential, Shutdown } from "@clawback/core"
import { NodeShutdown, NodeTransport } from "@clawback/node"
import { OpenAi } from "@clawback/providers"
import { TelemetryOtlp } from "@clawback/telemetry"
import { NodeHttpClient } from "@effect/platform-node"
import { Effect, Layer, Redacted, Stream } from "effect"
import { LanguageModel } from "effect/ai"
import { argv } from "node:process"

const [provider = "", collector = ""] = argv.slice(2)

const model = OpenAi.layer({
  model: "gpt-5",
  baseUrl: `${provider}/v1`,
  credential: Credential.redacted("KEY", Redacted.make("sk-nobody"))
}).pipe(Layer.provide(NodeTransport.layer()))

const telemetry = TelemetryOtlp.layer({ baseUrl: collector, serviceName: "test" }).pipe(
  Layer.provide(NodeHttpClient.layerUndici)
)

const program = Stream.runDrain(LanguageModel.streamText({ prompt: "Why do sockets leak?" })).pipe(
  Shutdown.admit({ kind: "job", name: "stream" }),
  Effect.ignore,
  Effect.andThen(Effect.never),
  Effect.provide(Layer.provideMerge(model, telemetry))
)

NodeShutdown.runMain(program, { drain: "400 millis" })
