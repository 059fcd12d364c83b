/**
 * Reads the URL of a request. Nothing of one is kept, since its query may hold a secret: reading costs about a
 * microsecond.
 */

/** Undefined where it is not http or https, or has credentials, which would be sent to nobody. */
export const requestable = (text: string): URL | undefined => {
  const url = URL.parse(text)
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:")) return undefined
  return url.username === "" && url.password === "" ? url : undefined
}

/**
 * A copy of a text. V8 makes of a part of a string a reference to the whole, which a name or an error would keep: of a URL,
 * the query as well. A text that is joined and then cut is copied.
 */
export const copied = (text: string): string => ` ${text}`.slice(1)

/** Where a URL leads, which does not keep the URL. */
export const originOf = ({ origin }: URL): string => copied(origin)

/** What a URL names, without its query, which does not keep the URL. */
export const nameOf = ({ host, pathname }: URL): string => copied(host + pathname)

/** What stands in a URL that is shown for its credentials. */
export const credentials = "<credentials>@"

/**
 * A URL, or what was meant as one, without what may be secret: credentials, whose delimiters may be misplaced, the query
 * and the fragment. A URL that was shown once is shown the same again.
 */
export const shown = (text: string): string =>
  text
    .replace(/^([a-z][a-z\d+.-]*:[/\\]+)?.*@/is, `$1${credentials}`)
    .replace(/\?[^#]*/s, "?<query>")
    .replace(/#.*/s, "#<fragment>")
