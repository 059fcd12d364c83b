import * as Result from "effect/Result"
import { Unsupported } from "../Codec.ts"
import { protocol } from "./anthropicExtras.ts"

/** Ends an encoding that cannot go on. Encoders throw, since they are deep in what they encode; `encoding` gives it back. */
export const unsupported = (detail: string): never => {
  throw new Unsupported({ protocol, detail })
}

export const encoding = <A>(encoder: () => A): Result.Result<A, Unsupported> =>
  Result.try({
    try: encoder,
    catch: (cause) => {
      if (cause instanceof Unsupported) return cause
      throw cause
    }
  })
