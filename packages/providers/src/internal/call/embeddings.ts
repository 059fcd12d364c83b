/** Calls of a model that makes vectors. */
import { Attribute } from "@clawback/core/Conventions"
import type * as Transport from "@clawback/core/Transport"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { EmbeddingRequest, EmbeddingResponse } from "../../Embedding.ts"
import { invalidResponse } from "../model/invalidResponse.ts"
import type { EmbeddingRow } from "../model/row.ts"
import * as Endpoint from "./endpoint.ts"
import * as Whole from "./whole.ts"

/** An embedding model that is open. */
export interface Embeddings {
  readonly embed: Whole.Call<EmbeddingRequest, EmbeddingResponse>
  /** Where the calls go, for errors. The query is left out: it may hold a secret. */
  readonly address: string
}

/** Opens an embedding model for as long as the scope is open. */
export const open = <E, R>(
  row: EmbeddingRow,
  model: string,
  options: Endpoint.Options<E, R>
): Effect.Effect<Embeddings, E | Endpoint.OpenError, R | Transport.Transport | Scope.Scope> =>
  Effect.map(Endpoint.open("embeddings", row, model, options), (endpoint) => {
    const protocol = row.embeddings
    const { call, route } = Whole.make(endpoint, {
      protocol,
      delivery: protocol.delivery,
      attributes: ({ dimensions }) => ({
        [Attribute.requestEncodingFormats]: [protocol.delivery.encoding],
        [Attribute.requestDimensions]: dimensions
      }),
      record: (record, response, redactor) => record.embedded(response, redactor),
      check: ({ input }, { embeddings }, peer, { body }) =>
        embeddings.length === input.length
          ? undefined
          : invalidResponse(peer, `${embeddings.length} embeddings for ${input.length} inputs`, body)
    })
    return { embed: call, address: route.address.href }
  })
