import * as ReadableError from "@clawback/core/ReadableError"
import type * as Retry from "@clawback/core/Retry"
import * as Schema from "effect/Schema"

/** The protocol cannot express a request, such as a sound where it has none. Nothing was sent. */
export class Unsupported extends ReadableError.tagged<Unsupported>("@clawback/providers/Unsupported")("Unsupported", {
  protocol: Schema.String,
  detail: Schema.String
}) {
  get retry(): Retry.Advice {
    return { reach: "unsent", isTransient: false }
  }
  override get message() {
    return `The ${this.protocol} protocol has no way to say this: ${this.detail}. Leave it out, or use another provider.`
  }
}
