/**
 * The names of the attributes, spans and metrics of the SDK.
 *
 * If OpenTelemetry has a name for a thing, we use that. Its conventions for generative AI and for connections are still in
 * development, so the names are pinned here, and change only with a release of ours. Sources: semantic-conventions 1.45
 * (`error.*`, `server.*`, `v8js.*`, `nodejs.*`, `process.*`; `db.client.connection.*` is the pattern for
 * `clawback.connection.*`, which counts every kind of pool) and the repository semantic-conventions-genai, which took
 * `gen_ai.*` over from it. Our own names begin with `clawback.`.
 *
 * No attribute and no label holds a secret, or anything of what was asked and answered. No label holds a tenant, subject
 * or conversation.
 */

import { processMetrics } from "./internal/metrics/processMetrics.ts"
import { workMetrics } from "./internal/metrics/workMetrics.ts"

export { Attribute, SpanName } from "./internal/metrics/attributes.ts"

/** Every metric of the SDK. */
export const Metrics = { ...workMetrics, ...processMetrics } as const
