import * as Base64Url from "effect/encoding/Base64Url"
import * as Result from "effect/Result"

/** Precedes an id that the API would not accept. */
const prefix = "clawback_"

/** The API accepts only these characters. Moonshot's ids have others: `functions.add:0`. */
const isAccepted = (id: string): boolean => /^[\w-]+$/.test(id)

/** The id of a call in a form that the API accepts, so that `read` returns it. */
export const write = (id: string): string =>
  isAccepted(id) && !id.startsWith(prefix) ? id : prefix + Base64Url.encode(id)

/** The id of a call as its provider made it. */
export const read = (id: string): string =>
  id.startsWith(prefix) ? Result.getOrElse(Base64Url.decodeString(id.slice(prefix.length)), () => id) || id : id
