/**
 * The names of the attributes, spans and metrics of the SDK.
 *
 * If OpenTelemetry has a name for a thing, we use that name. Some of its conventions are still in development, so the names
 * are pinned here, and change only with a release of ours. Sources:
 * - `gen_ai.*`: the repository semantic-conventions-genai.
 * - `clawback.connection.*` and `clawback.pool.*`: modelled on `db.client.connection.*`.
 * - Other names that begin with `clawback.`: our own.
 * - All others: semantic-conventions 1.45.
 *
 * No attribute and no label holds a secret, or anything of what was asked and answered. No label holds a tenant, subject
 * or conversation.
 *
 * @experimental
 */

import { leaseMetrics } from "./internal/metrics/leaseMetrics.ts"
import { poolMetrics } from "./internal/metrics/poolMetrics.ts"
import { postgresMetrics } from "./internal/metrics/postgresMetrics.ts"
import { processMetrics } from "./internal/metrics/processMetrics.ts"
import { redisMetrics } from "./internal/metrics/redisMetrics.ts"
import { workMetrics } from "./internal/metrics/workMetrics.ts"

export { Attribute, SpanName } from "./internal/metrics/attributes.ts"

/** Every metric of the SDK. */
export const Metrics = {
  ...workMetrics,
  ...poolMetrics,
  ...postgresMetrics,
  ...redisMetrics,
  ...leaseMetrics,
  ...processMetrics
} as const
