/**
 * The metrics that every exporter sends: the open sessions, and the resources of the process.
 *
 * @stable
 */

import * as SessionMetrics from "@clawback/core/SessionMetrics"
import * as NodeMetrics from "@clawback/node/NodeMetrics"
import * as Layer from "effect/Layer"

/** Measures while the layer is open. */
export const layer: Layer.Layer<never> = Layer.merge(SessionMetrics.layer, NodeMetrics.layer)
