/**
 * Counts the sessions of the registry in force, by kind: how many are open, how many were opened and closed, and the age
 * of the oldest.
 *
 * The figures are read from the registry when an exporter asks. So counting adds no cost per session, and `opened − closed =
 * open` at every read. A kind's series stay while the layer is open.
 *
 * **Labels.** The kind alone. Each metric registry has series for 64 kinds, shared by all open layers. Other kinds count as
 * `_OTHER`. A tenant is never a label: `SessionRegistry.list` returns the caller of each session.
 *
 * @stable
 */

import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Attribute, Metrics } from "./Conventions.ts"
import * as Instrument from "./Instrument.ts"
import * as SessionObserver from "./SessionObserver.ts"
import { SessionRegistry } from "./SessionRegistry.ts"

const kinds = Instrument.bounded(Attribute.sessionKind, 64)

/** Counts for as long as the layer is open. */
export const layer: Layer.Layer<never> = Layer.effectDiscard(Effect.gen(function*() {
  const registry = yield* SessionRegistry
  const context = yield* Effect.context<never>()
  const stops: Array<() => void> = []
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      stops.push(SessionObserver.onKind(registry, ({ age, closed, kind, opened }) => {
        const { labels, release } = Instrument.use(kinds, { [Attribute.sessionKind]: kind }, context)
        stops.push(
          release,
          Instrument.observe(Metrics.sessionsOpen, labels, context, () => opened() - closed()),
          Instrument.observe(Metrics.sessionsOpened, labels, context, opened),
          Instrument.observe(Metrics.sessionsClosed, labels, context, closed),
          Instrument.observe(
            Metrics.sessionAge,
            labels,
            context,
            (context) => Duration.toSeconds(age(Context.get(context, Clock.Clock)))
          )
        )
      }))
    ),
    () =>
      Effect.sync(() => {
        for (const stop of stops) stop()
      })
  )
}))
