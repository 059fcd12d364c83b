import { Effect, type Exit, Tracer } from "effect"

/** A span as a test looks at it. */
export interface Seen {
  readonly name: string
  readonly kind: string
  readonly parent: string | undefined
  readonly attributes: Readonly<Record<string, unknown>>
  readonly exit: Exit.Exit<unknown, unknown> | undefined
}

/** Runs with a tracer that keeps every span, and answers with what `look` makes of them afterwards. */
export const traced = Effect.fnUntraced(function*<A, E, R>(effect: Effect.Effect<A, E, R>) {
  const spans: Array<Tracer.Span> = []
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options)
      spans.push(span)
      return span
    }
  })
  const exit = yield* Effect.exit(Effect.provideService(effect, Tracer.Tracer, tracer))
  return {
    exit,
    spans: spans.map(({ attributes, kind, name, parent, status }): Seen => ({
      name,
      kind,
      parent: parent._tag === "Some" && parent.value._tag === "Span" ? parent.value.name : undefined,
      attributes: Object.fromEntries(attributes),
      exit: status._tag === "Ended" ? status.exit : undefined
    }))
  }
})
