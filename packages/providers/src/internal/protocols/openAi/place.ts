import * as OptionCheck from "@clawback/core/OptionCheck"
import type { RequestHead } from "../../../Protocol.ts"

/**
 * Where a request names its model.
 *
 * - `body`: in the body's `model` (OpenAI).
 * - `apiVersion`: in the path, as the name of a deployment, and not in the body. The query states the API's version. A version
 *   in the query of the base URL wins. Azure's reference: `POST /openai/deployments/{name}/chat/completions?api-version=…`.
 */
export type ModelPlace = "body" | { readonly apiVersion: string }

export const checkedPlace = (option: string, place: ModelPlace): ModelPlace => {
  if (place === "body") return place
  if (typeof place !== "object" || place === null) throw OptionCheck.wrong(option, place, "`body`, or an `apiVersion`")
  const { apiVersion } = OptionCheck.fields(option, place, { apiVersion: true })
  return { apiVersion: OptionCheck.text(`${option}.apiVersion`, apiVersion) }
}

/** Where requests for a model go. `path` is the operation's, such as `/embeddings`. */
export const placeOf = (place: ModelPlace, path: string, model: string): Pick<RequestHead, "path" | "query"> =>
  place === "body"
    ? { path }
    : {
      path: `/openai/deployments/${encodeURIComponent(model)}${path}`,
      query: { "api-version": place.apiVersion }
    }

const deployment = /^\/openai\/deployments\/([^/]+)(\/.+)$/

const decoded = (segment: string): string | undefined => {
  try {
    return decodeURIComponent(segment)
  } catch {
    return undefined
  }
}

/** The model that a path names, empty where the body names it. Undefined: the path is not the operation's. */
export const modelAt = (place: ModelPlace, operation: string, path: string): string | undefined => {
  if (place === "body") return path === operation ? "" : undefined
  const [, model = "", rest] = deployment.exec(path) ?? []
  return rest === operation ? decoded(model) : undefined
}
