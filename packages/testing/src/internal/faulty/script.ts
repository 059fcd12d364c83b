/** The form of a behavior. What its parts mean stands here; how to make one, in `Behavior`. */
import * as Schema from "effect/Schema"

/** As many as that, none included. */
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** One at least: with none, nothing would ever go on. */
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** Bytes: as text in UTF-8, as base64, or so many times the letter `x`, which costs a huge body nothing to describe. */
const Source = Schema.Union([
  Schema.Struct({ text: Schema.String }),
  Schema.Struct({ base64: Schema.String }),
  Schema.Struct({ fill: Count })
])
export type Source = typeof Source.Type

/** How a server asks for patience: `retry-after` in seconds, as an HTTP date from now, or `retry-after-ms`. */
const RetryAfter = Schema.Struct({ form: Schema.Literals(["seconds", "date", "millis"]), millis: Millis })
export type RetryAfter = typeof RetryAfter.Type

/**
 * How an answer ends. `end`: as it should. `close`: the connection is closed in an orderly way, whatever is missing.
 * `reset`: by a TCP reset. `truncate`: in the middle of a chunk that promised more. `stall`: never, but a client that
 * leaves is noticed. `swallow`: never, and whatever the client sends, its FIN included, is read and ignored, as by a peer
 * that is half open: only the client's own limits help.
 */
const Ending = Schema.Literals(["end", "close", "reset", "truncate", "stall", "swallow"])
export type Ending = typeof Ending.Type

const Headers = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Array(Schema.String)]))

const Wait = Schema.Struct({ _tag: Schema.tag("Wait"), millis: Millis })
const Body = Schema.Struct({ _tag: Schema.tag("Body"), source: Source })
/** Bytes past HTTP: onto the connection as they are. */
const Raw = Schema.Struct({ _tag: Schema.tag("Raw"), source: Source })

/** One thing to do. */
const Step = Schema.Union([
  Wait,
  Body,
  Raw,
  /** An interim response, 100 to 199. */
  Schema.Struct({ _tag: Schema.tag("Inform"), status: Schema.Int, headers: Headers }),
  Schema.Struct({
    _tag: Schema.tag("Head"),
    status: Schema.Int,
    headers: Headers,
    retryAfter: Schema.optional(RetryAfter),
    /** Adds a header `x-padding` of so many bytes. */
    padding: Schema.optional(Count)
  }),
  Schema.Struct({
    _tag: Schema.tag("Repeat"),
    steps: Schema.Array(Schema.Union([Wait, Body, Raw])),
    /** Absent: for ever. */
    times: Schema.optional(Count)
  }),
  Schema.Struct({ _tag: Schema.tag("Finish"), ending: Ending })
])
export type Step = typeof Step.Type

/** How a request's body is read: whole before anything is answered, never, or so many bytes at a time. */
const Reading = Schema.Union([
  Schema.Literals(["whole", "nothing"]),
  Schema.Struct({ bytes: Positive, everyMillis: Millis })
])
export type Reading = typeof Reading.Type

export const Behavior = Schema.Struct({
  /** Shown in the report. */
  name: Schema.String,
  steps: Schema.Array(Step),
  /** Default: whole. */
  reading: Schema.optional(Reading),
  /** Where the body is divided into pieces, each written by itself: at these offsets, and after each `size` bytes. */
  split: Schema.optional(Schema.Struct({
    at: Schema.optional(Schema.Array(Count)),
    size: Schema.optional(Positive),
    pauseMillis: Schema.optional(Millis)
  })),
  /** Where in the body the answer ends instead, and how. */
  cut: Schema.optional(Schema.Struct({ at: Count, ending: Ending }))
})
export type Behavior = typeof Behavior.Type
