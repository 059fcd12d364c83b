/** How an error of a provider is written down. */
import type { ProviderError } from "@clawback/providers/ProviderError"

/** What it is called, its status and body, what it means, and where it was recorded, reported or documented. */
type Case = readonly [
  name: string,
  status: number,
  body: unknown,
  means: ProviderError["_tag"],
  source: string
]

/** Cases by the name of their provider's row. */
export type Cases = Readonly<Record<string, ReadonlyArray<Case>>>

export const rig = "https://github.com/0xPlaygrounds/rig (recorded, 2026)"
export const pydantic = "https://github.com/pydantic/pydantic-ai (recorded, 2025, 2026)"
export const rubyLlm = "https://github.com/crmne/ruby_llm (recorded, 2026)"
export const openllmetry = "https://github.com/traceloop/openllmetry (recorded)"

export const said = (error: object) => ({ error })
export const invalid = { type: "invalid_request_error", param: null }
