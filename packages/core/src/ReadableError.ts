/**
 * Errors that show their message first, wherever they are printed.
 *
 * Effect's tagged errors print as an object of their fields: `console.error` and the loggers show no message. Those of this
 * package show message, stack, fields and cause. Use it for errors of your own layers.
 *
 * ```ts
 * import * as ReadableError from "@clawback/core/ReadableError"
 * import { Schema } from "effect"
 *
 * class SeatTaken extends ReadableError.tagged<SeatTaken>("@my/app/SeatTaken")("SeatTaken", { seat: Schema.String }) {
 *   override get message() {
 *     return `Seat ${this.seat} is taken. Choose another one.`
 *   }
 * }
 *
 * console.error(new SeatTaken({ seat: "12A" })) // SeatTaken: Seat 12A is taken. Choose another one. … { seat: '12A' }
 * ```
 *
 * Guarantees: a field that is `Redacted`, or has the name of a secret, is shown as `<redacted>`. URLs are shown without
 * credentials and query. A message is shown as the error gives it.
 *
 * @experimental
 */

import * as Duration from "effect/Duration"
import * as Formatter from "effect/Formatter"
import { NodeInspectSymbol } from "effect/Inspectable"
import * as Schema from "effect/Schema"
import { redact } from "./internal/session/redact.ts"
import * as Time from "./internal/time/format.ts"

/** What is shown of an error beside its tag, its message and its stack. */
export interface View {
  readonly fields: Readonly<Record<string, unknown>>
  readonly cause?: unknown
}

const hidden: ReadonlySet<string> = new Set(["_tag", "name", "message", "stack", "cause"])

const ownFields = (error: Error): View => ({
  fields: Object.fromEntries(Object.entries(error).filter(([name]) => !hidden.has(name))),
  cause: error.cause
})

const printed = ({ fields }: View): Record<string, unknown> => {
  const shown: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) shown[name] = Duration.isDuration(value) ? Time.format(value) : value
  }
  return { ...redact(shown) }
}

const tagOf = (error: Error): string => "_tag" in error && typeof error._tag === "string" ? error._tag : error.name

/** As `node:util` passes it. */
type Inspect = (value: unknown, options: object) => string

const framesOf = ({ stack = "" }: Error): ReadonlyArray<string> =>
  stack.split("\n").filter((line) => /^ +at /.test(line))

const textOf = (error: Error, view: View, depth: number, options: object, inspect: Inspect): string => {
  const title = `${tagOf(error)}: ${error.message}`
  if (depth < 0) return `[${title}]`
  const fields = printed(view)
  const about = Object.keys(fields).length === 0 ? "" : ` ${inspect(fields, options)}`
  const cause = view.cause === undefined ? "" : `\n  [cause]: ${inspect(view.cause, options).replaceAll("\n", "\n  ")}`
  return [title, ...framesOf(error)].join("\n") + about + cause
}

/** A cause may be anything, such as an object without a prototype. */
const causeText = (cause: unknown): string => {
  if (cause instanceof Error) return `${tagOf(cause)}: ${cause.message}`
  return typeof cause === "object" ? Formatter.format(cause) : String(cause)
}

/** As methods of a class are. */
const unseen = { writable: true, configurable: true, enumerable: false } as const

/**
 * Makes an error, or all those of a prototype, show their message. `view` chooses what else is shown. Default: the error's own
 * fields and its cause.
 */
export const show = <E extends Error>(target: E, view: (error: E) => View = ownFields): E => {
  const methods = {
    [NodeInspectSymbol](
      this: E,
      depth: number,
      options: object,
      inspect: Inspect = Formatter.format as Inspect
    ): string {
      return textOf(this, view(this), depth, options, inspect)
    },
    toJSON(this: E): unknown {
      const seen = view(this)
      const cause = seen.cause === undefined ? {} : { cause: causeText(seen.cause) }
      return { _tag: tagOf(this), message: this.message, ...printed(seen), ...cause }
    }
  }
  Object.defineProperty(target, NodeInspectSymbol, { ...unseen, value: methods[NodeInspectSymbol] })
  Object.defineProperty(target, "toJSON", { ...unseen, value: methods.toJSON })
  return target
}

type Define = (...args: ReadonlyArray<unknown>) => { readonly prototype: Error }

/** Defines an error as `Schema.TaggedError` does, and makes it readable. */
export const tagged = ((identifier?: string) => {
  const define = Schema.TaggedError<Error>(identifier) as unknown as Define
  return (...args: ReadonlyArray<unknown>) => {
    const defined = define(...args)
    show(defined.prototype)
    return defined
  }
}) as unknown as typeof Schema.TaggedError
