/** What every exporter of metrics shows: the sessions that are open, and what the process takes from its machine. */
import * as SessionMetrics from "@clawback/core/SessionMetrics"
import * as NodeMetrics from "@clawback/node/NodeMetrics"
import * as Layer from "effect/Layer"

/** Counts for as long as the layer is open. */
export const layer: Layer.Layer<never> = Layer.merge(SessionMetrics.layer, NodeMetrics.layer)
