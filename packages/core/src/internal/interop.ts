/** The one place of the core where it meets the garbage collector, promises, the module loader and the Web's classes. */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import type { LeakProbe } from "./session/model.ts"

export const makeLeakProbe = (): LeakProbe => {
  const registry = new FinalizationRegistry<() => void>((onLost) => onLost())
  return {
    watch: (target, onLost) => {
      registry.register(target, onLost, onLost)
      return () => void registry.unregister(onLost)
    }
  }
}

/** Refers to something without keeping it. */
export const weakly = <A extends object>(target: A | undefined): () => A | undefined => {
  if (target === undefined) return () => undefined
  const ref = new WeakRef(target)
  return () => ref.deref()
}

/** What `await using` waits for. */
export const runPromise = (effect: Effect.Effect<void>): Promise<void> => Effect.runPromise(effect)

/** A stream of the Web's, as Effect knows streams; undefined for anything else. */
export const webStream = (body: unknown): Stream.Stream<Uint8Array, Cause.UnknownError> | undefined =>
  body instanceof ReadableStream
    ? Stream.fromReadableStream({ evaluate: () => body, onError: (cause) => new Cause.UnknownError(cause) })
    : undefined

/** A form as bytes, the way the platform writes one. */
export const encodeForm = (form: FormData): Effect.Effect<
  { readonly body: Uint8Array; readonly contentType: string },
  Cause.UnknownError
> =>
  Effect.tryPromise(async () => {
    const encoded = new Response(form)
    return { body: await encoded.bytes(), contentType: encoded.headers.get("content-type") ?? "" }
  })

/** The form that a body is, the way the platform reads one. */
export const decodeForm = (body: ArrayBuffer, contentType: string): Effect.Effect<FormData, Cause.UnknownError> =>
  Effect.tryPromise(() => new Response(body, { headers: { "content-type": contentType } }).formData())

/** Where this module was loaded from. */
export const place: string = import.meta.url
