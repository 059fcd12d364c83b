import * as OptionCheck from "@clawback/core/OptionCheck"
import type { EmbeddingDelivery } from "../../../Protocol.ts"
import { checkedLimitHeaders, type LimitHeaders, standard } from "../openAi/limits.ts"
import { checkedPlace, type ModelPlace } from "../openAi/place.ts"

const lackedFields = ["dimensions", "user"] as const

/** A field of all requests that a server may lack. */
export type LackedField = typeof lackedFields[number]

/** The differences between servers of this protocol. A provider declares its own. */
export interface Quirks {
  /** The field of `dimensions`. Mistral's API reference has `output_dimension`. */
  readonly dimensionsField: "dimensions" | "output_dimension"
  /**
   * The form in which our clients ask for vectors. `base64` is far shorter, and OpenAI's own SDK asks for it. Servers that
   * know only numbers want `float`. Perplexity sends only signed bytes, `base64_int8` (its guide to embeddings).
   */
  readonly encoding: EmbeddingDelivery["encoding"]
  /**
   * Shared fields that the server rejects or ignores. `user` is not sent, and the answer reports it as dropped. With
   * `dimensions`, a request fails with `Unsupported`, since its vectors would have another length.
   */
  readonly lacks: ReadonlyArray<LackedField>
  /** Where a request names its model. See `OpenAiChat.ModelPlace`. */
  readonly modelIn: ModelPlace
  /** The headers that state the provider's limits. See `OpenAiChat.LimitHeaders`. */
  readonly limitHeaders: LimitHeaders
}

/** OpenAI's own server, and what most servers accept. */
const defaults: Quirks = {
  dimensionsField: "dimensions",
  encoding: "base64",
  lacks: [],
  modelIn: "body",
  limitHeaders: standard
}

/** All quirks: an undefined one is its default. Throws a `RangeError` at an unknown quirk or value. */
export const complete = (quirks: Partial<Quirks>): Quirks => {
  const { dimensionsField, encoding, lacks = defaults.lacks, limitHeaders, modelIn } = OptionCheck.fields(
    "quirks",
    quirks,
    defaults
  )
  if (!Array.isArray(lacks)) throw OptionCheck.wrong("quirks.lacks", lacks, "a list")
  for (const field of lacks) OptionCheck.choice<string>("quirks.lacks", field, lackedFields)
  return {
    dimensionsField: OptionCheck.choice("quirks.dimensionsField", dimensionsField ?? defaults.dimensionsField, [
      "dimensions",
      "output_dimension"
    ]),
    encoding: OptionCheck.choice("quirks.encoding", encoding ?? defaults.encoding, ["base64", "float", "base64_int8"]),
    lacks,
    modelIn: checkedPlace("quirks.modelIn", modelIn ?? defaults.modelIn),
    limitHeaders: checkedLimitHeaders("quirks.limitHeaders", limitHeaders ?? defaults.limitHeaders)
  }
}
