/** Bytes in base64, and their media type. */
export interface Inline {
  readonly mediaType: string
  readonly data: string
}

/** The content of a base64 data URL (RFC 2397). Undefined for any other URL. */
export const parse = (url: string): Inline | undefined => {
  if (!/^data:/i.test(url)) return undefined
  const comma = url.indexOf(",")
  const head = url.slice("data:".length, Math.max(comma, 0))
  return /;base64$/i.test(head)
    ? { mediaType: head.slice(0, -";base64".length), data: url.slice(comma + 1) }
    : undefined
}

export const format = ({ data, mediaType }: Inline): string => `data:${mediaType};base64,${data}`
