/**
 * How long a server keeps an idle connection, from its `Keep-Alive: timeout=N` header (RFC 2068, section 19.7.1, as
 * servers still send it): a second less than announced, since a request takes time to arrive. Infinite without a header.
 */
export const keepAliveMillis = (header: string | ReadonlyArray<string> | undefined): number => {
  if (header === undefined) return Infinity
  // Servers say the same each time.
  if (header === last.header) return last.millis
  const seconds = /\btimeout\s*=\s*"?(\d+)/i.exec(String(header))?.[1]
  const millis = seconds === undefined ? Infinity : Math.max(0, Number(seconds) * 1000 - 1000)
  last = { header, millis }
  return millis
}

let last: { readonly header: unknown; readonly millis: number } = { header: undefined, millis: Infinity }
