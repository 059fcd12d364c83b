/** The type of a behavior. This file explains its parts; `Behavior` makes one. */
import * as Schema from "effect/Schema"

/** A count, or zero. */
const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
/** At least one: with zero, nothing would continue. */
const Positive = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1))
const Millis = Schema.Finite.check(Schema.isGreaterThanOrEqualTo(0))

/** Bytes: as text in UTF-8, as base64, or as a number of letters `x`, which describes a huge body in few bytes. */
const Source = Schema.Union([
  Schema.Struct({ text: Schema.String }),
  Schema.Struct({ base64: Schema.String }),
  Schema.Struct({ fill: Count })
])
export type Source = typeof Source.Type

/** The forms of `Retry-After`: in seconds, as an HTTP date from now, or as `retry-after-ms`. */
const RetryAfter = Schema.Struct({ form: Schema.Literals(["seconds", "date", "millis"]), millis: Millis })
export type RetryAfter = typeof RetryAfter.Type

/**
 * How a response ends. `end`: normally. `close`: the connection is closed in an orderly way, even if something is missing.
 * `reset`: by a TCP reset. `truncate`: in the middle of a chunk. `stall`: never, but the server notices a client that leaves.
 * `swallow`: never, and everything from the client is read and ignored, also its FIN, as by a half-open peer. Only the client's
 * own limits help.
 */
const Ending = Schema.Literals(["end", "close", "reset", "truncate", "stall", "swallow"])
export type Ending = typeof Ending.Type

const Headers = Schema.Record(Schema.String, Schema.Union([Schema.String, Schema.Array(Schema.String)]))

const Wait = Schema.Struct({ _tag: Schema.tag("Wait"), millis: Millis })
const Body = Schema.Struct({ _tag: Schema.tag("Body"), source: Source })
/** Bytes outside HTTP: written to the connection unchanged. */
const Raw = Schema.Struct({ _tag: Schema.tag("Raw"), source: Source })

/** One step of a script. */
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
    /** Adds a header `x-padding` of this many bytes. */
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

/** How a request's body is read: all of it before the response, never, or in pieces of this many bytes. */
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
  /** Where the body is split into pieces, each written by itself: at these offsets, and after each `size` bytes. */
  split: Schema.optional(Schema.Struct({
    at: Schema.optional(Schema.Array(Count)),
    size: Schema.optional(Positive),
    pauseMillis: Schema.optional(Millis)
  })),
  /** Where in the body the response is cut off, and how. */
  cut: Schema.optional(Schema.Struct({ at: Count, ending: Ending }))
})
export type Behavior = typeof Behavior.Type
