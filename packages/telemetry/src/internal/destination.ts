/** The collector's URL and headers, from options and from the environment. */
import * as Config from "effect/Config"
import * as Option from "effect/Option"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/** Absolute, http or https, without a query or fragment, since `/v1/traces` is appended. */
export const isBaseUrl = (text: string): boolean => {
  // `URL` also accepts `http:host`.
  const url = /^https?:\/\/[^/\\?#]/i.test(text) ? URL.parse(text) : null
  return url?.username === "" && url.password === "" && !/[?#]/.test(text)
}

/** RFC 9110, section 5.6.2. */
export const isHeaderName = (name: string): boolean => /^[\w!#$%&'*+.^`|~-]+$/.test(name)

/** RFC 9110, section 5.5: no control characters, and no line breaks. */
export const isHeaderValue = (value: string): boolean => /^[\t\x20-\x7e\x80-\xff]*$/.test(value)

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** Parses `name=value,name=value` with values escaped as in a URL. Returns undefined if it is malformed. */
const parseHeaders = (text: string): Readonly<Record<string, Redacted.Redacted>> | undefined => {
  const headers: Array<readonly [string, Redacted.Redacted]> = []
  for (const pair of text.split(",").map((pair) => pair.trim()).filter((pair) => pair !== "")) {
    const [, name, escaped] = /^([^=]*?)\s*=\s*(.*)$/.exec(pair) ?? []
    const value = escaped === undefined ? undefined : decoded(escaped)
    if (name === undefined || value === undefined || !isHeaderName(name) || !isHeaderValue(value)) return undefined
    headers.push([name, Redacted.make(value)])
  }
  return Object.fromEntries(headers)
}

/** A variable that may contain a secret. By the specification, a blank one counts as not set. */
const variable = (name: string, isSo: (text: string) => boolean, wanted: string) => {
  const filter = Schema.makeFilter((text: string) => text.trim() === "" || isSo(text.trim()) || wanted)
  return Config.map(
    Config.option(Config.schema(Schema.Redacted(Schema.String.check(filter)), name)),
    (found) => Option.isNone(found) ? "" : Redacted.value(found.value).trim()
  )
}

export const config = Config.map(
  Config.all({
    endpoint: variable(
      "OTEL_EXPORTER_OTLP_ENDPOINT",
      isBaseUrl,
      "an http or https URL without credentials and query, such as http://localhost:4318"
    ),
    headers: variable(
      "OTEL_EXPORTER_OTLP_HEADERS",
      (text) => parseHeaders(text) !== undefined,
      "headers such as api-key=abc,team=one, their values escaped as in a URL"
    )
  }),
  ({ endpoint, headers }) => ({ baseUrl: endpoint || "http://localhost:4318", headers: parseHeaders(headers) ?? {} })
)
