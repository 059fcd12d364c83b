import * as Result from "effect/Result"
import type { Extras } from "../../ChatRequest.ts"
import type { OnDropped } from "./dropped.ts"
import { Unsupported } from "./unsupported.ts"

/**
 * Why a target's parameters cannot work: the first one that each call would be refused for, or would drop. The extras of other
 * protocols are meant for other targets.
 */
export const firstLacking = <Parameters extends { readonly extras?: Extras | undefined }>(
  protocol: string,
  parameters: Parameters | undefined,
  encode: (parameters: Parameters | undefined, onDropped: OnDropped) => Result.Result<unknown, Unsupported>
): Unsupported | undefined => {
  const own = parameters?.extras?.[protocol]
  let found: Unsupported | undefined
  const encoded = encode(
    parameters?.extras === undefined ? parameters : { ...parameters, extras: own && { [protocol]: own } },
    ({ field, reason }) => {
      found ??= new Unsupported({ protocol, detail: `${field} (${reason})` })
    }
  )
  return Result.isFailure(encoded) ? encoded.failure : found
}
