/** Errors of the providers that are rows: as they were recorded, reported or documented, and what each means. */
import type { ProviderError } from "@clawback/providers/ProviderError"
import { clouds } from "./clouds.ts"
import { others } from "./others.ts"

export interface RowError {
  /** The name of the row. */
  readonly provider: string
  readonly name: string
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: unknown
  readonly means: ProviderError["_tag"]
  /** Where it was recorded, reported or documented. */
  readonly source: string
}

/** All errors, by provider. */
export const rowErrors: ReadonlyArray<RowError> = Object.entries({ ...clouds, ...others }).flatMap(
  ([provider, errors]) =>
    errors.map(([name, status, body, means, source]) => ({
      provider,
      name: `${provider}.${name}`,
      status,
      headers: {},
      body,
      means,
      source
    }))
)
