/** The text of a state, for stores that keep texts. */
import * as Schema from "effect/Schema"

/** One holder. */
export const Held = Schema.Struct({
  id: Schema.String,
  token: Schema.Number,
  expiresAt: Schema.Number,
  ttl: Schema.Number,
  holder: Schema.String
})
