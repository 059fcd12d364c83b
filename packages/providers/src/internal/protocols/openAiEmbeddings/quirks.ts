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
export const defaults: Quirks = { dimensionsField: "dimensions", encoding: "base64" }
