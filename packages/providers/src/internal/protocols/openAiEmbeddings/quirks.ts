import * as OptionCheck from "@clawback/core/OptionCheck"

/** The differences between servers of this protocol. A provider declares its own. */
export interface Quirks {
  /** The field of `dimensions`. Mistral's API reference has `output_dimension`. */
  readonly dimensionsField: "dimensions" | "output_dimension"
  /**
   * The form in which our clients ask for vectors. `base64` is far shorter, and OpenAI's own SDK asks for it. Servers that
   * know only numbers want `float`.
   */
  readonly encoding: "base64" | "float"
}

/** OpenAI's own server, and what most servers accept. */
const defaults: Quirks = { dimensionsField: "dimensions", encoding: "base64" }

/** All quirks: an undefined one is its default. Throws a `RangeError` at an unknown quirk or value. */
export const complete = (quirks: Partial<Quirks>): Quirks => {
  const { dimensionsField, encoding } = OptionCheck.fields("quirks", quirks, defaults)
  return {
    dimensionsField: OptionCheck.choice("quirks.dimensionsField", dimensionsField ?? defaults.dimensionsField, [
      "dimensions",
      "output_dimension"
    ]),
    encoding: OptionCheck.choice("quirks.encoding", encoding ?? defaults.encoding, ["base64", "float"])
  }
}
