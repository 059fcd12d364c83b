/**
 * Copies a text. V8 represents a part of a string as a reference to the whole string. A name or an error that is a part of
 * a URL would keep the URL, and its query. A text that is joined and then cut is copied.
 */
export const copied = (text: string): string => ` ${text}`.slice(1)

/** Replaces the credentials of a URL that is shown. */
export const credentials = "<credentials>@"

/** What is wrong with a shown URL, where that is plain to see. */
export const fault = (url: string): string | undefined => {
  if (url.includes(credentials)) return "it must not have credentials"
  if (!/^https?:/i.test(url)) return "it must begin with http:// or https://"
  if (!/^https?:\/\/[^/\\?#]/i.test(url)) return "it has no host"
  return url.includes("#") ? "it must not have a fragment" : undefined
}

/**
 * A URL without what may be secret: credentials (whose delimiters may be misplaced), query and fragment. The text may also
 * be a failed attempt at a URL. Showing a shown URL changes nothing.
 */
export const shown = (text: string): string =>
  text
    .replace(/^([a-z][a-z\d+.-]*:[/\\]+)?.*@/is, `$1${credentials}`)
    .replace(/\?[^#]*/s, "?<query>")
    .replace(/#.*/s, "#<fragment>")
