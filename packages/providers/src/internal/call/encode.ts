import * as Result from "effect/Result"
import type { Dropped, Protocol, Unsupported } from "../../Protocol.ts"
import type { CallRecord } from "./record.ts"

/** The body of a request, and what was not sent as it was asked. Undefined: everything was. */
export interface Encoded {
  readonly body: string
  readonly dropped: ReadonlyArray<Dropped> | undefined
}

/** Encodes the request of one attempt, and records what the protocol lacks. */
export const encode = <Request, Delivery, Response>(
  { encodeRequest }: Protocol<Request, Delivery, Response>,
  request: Request,
  delivery: Delivery,
  record: CallRecord
): Result.Result<Encoded, Unsupported> => {
  const fields: Array<Dropped> = []
  const encoded = encodeRequest(request, delivery, (field) => fields.push(field))
  if (Result.isFailure(encoded)) return Result.fail(encoded.failure)
  const dropped = fields.length === 0 ? undefined : fields
  if (dropped !== undefined) record.dropped(dropped)
  return Result.succeed({ body: JSON.stringify(encoded.success), dropped })
}
