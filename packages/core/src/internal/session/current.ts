/** The session and the registry in which a fiber works. */
import * as Context from "effect/Context"
import type * as Model from "./model.ts"
import { make } from "./registry.ts"

/**
 * The session in which this fiber works.
 *
 * Do not open inside of it what outlives it. If you share something that is made at the first request, such as what an
 * `RcMap` looks up, make it with `Effect.provideService(Session.Current, undefined)`.
 */
export const Current: Context.Reference<Model.Session | undefined> = Context.Reference<Model.Session | undefined>(
  "@clawback/core/Session/Current",
  { defaultValue: () => undefined }
)

export interface SessionRegistry extends Model.SessionRegistry {}

/** The registry in force: this process's own, unless another is provided. */
export const SessionRegistry: Context.Reference<SessionRegistry> = Context.Reference(
  "@clawback/core/SessionRegistry",
  { defaultValue: (): SessionRegistry => make() }
)
