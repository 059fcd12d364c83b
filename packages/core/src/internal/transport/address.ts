import { copied } from "./urls.ts"

/** Where a request goes. It does not keep the text of the URL, whose query may hold a secret. */
export interface Address {
  readonly origin: string
  /** Host and path, as sessions are named. */
  readonly name: string
  /** Path and query, as they are sent. */
  readonly path: string
}

const parse = (text: string): Address | undefined => {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined
  if (url.username !== "" || url.password !== "") return undefined
  return {
    origin: copied(url.origin),
    name: copied(url.host + url.pathname),
    path: url.pathname + url.search
  }
}

/** Parsing takes a microsecond or two, and most programs call few URLs. */
const maxKnown = 16
const known = new Map<string, Address>()

/** Only a URL without a query and a fragment is remembered, and only without credentials. */
const mayBeRemembered = (text: string): boolean => !/[?#@]/.test(text)

/** Reads the URL of a request. Returns undefined if it is not http or https, or has credentials, which are never sent. */
export const of = (text: string): Address | undefined => {
  const found = known.get(text)
  if (found !== undefined) return found
  const address = parse(text)
  if (address !== undefined && mayBeRemembered(text)) {
    if (known.size >= maxKnown) known.clear()
    known.set(copied(text), address)
  }
  return address
}
