/** Recorded traffic of many vendors: a small sample, or the file of the same name in `$CLAWBACK_DATA`. */
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { env } from "node:process"
import { gunzipSync } from "node:zlib"

export interface Recording {
  readonly vendor: string
  readonly protocol: "openai-chat" | "openai-embeddings" | "anthropic-messages"
  readonly kind: "response" | "stream" | "error"
  readonly status: number
  readonly requestBody: string | null
  readonly responseBody: string
  readonly responseHeaders?: Readonly<Record<string, string>>
  readonly source: string
}

const name = "recorded-traffic.jsonl"

const sample = join(import.meta.dirname, "../data", name)

export const recordings = (): ReadonlyArray<Recording> => {
  const given = join(env["CLAWBACK_DATA"] ?? "", `${name}.gz`)
  const text = existsSync(given) ? gunzipSync(readFileSync(given)).toString() : readFileSync(sample, "utf8")
  return text.trim().split("\n").map((line) => JSON.parse(line))
}
