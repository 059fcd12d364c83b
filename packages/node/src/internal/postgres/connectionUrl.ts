/** The URL of a database, as many hosts of PostgreSQL give it. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Redacted from "effect/Redacted"

/** What a URL may say. */
export interface Parts {
  readonly host?: string
  readonly port?: number
  readonly user?: string
  readonly password?: Redacted.Redacted<string>
  readonly database?: string
  readonly tls?: boolean | { readonly rejectUnauthorized: boolean }
  readonly applicationName?: string
}

const modes: Readonly<Record<string, Parts["tls"]>> = {
  disable: false,
  require: true,
  "verify-full": true,
  "no-verify": { rejectUnauthorized: false }
}

const known: Readonly<Record<string, (value: string) => Parts>> = {
  host: (host) => ({ host }),
  application_name: (applicationName) => ({ applicationName }),
  sslmode: (mode) => {
    const tls = modes[mode]
    if (tls === undefined) {
      throw OptionCheck.wrong("url", mode, `one whose sslmode is one of ${Object.keys(modes).join(", ")}`)
    }
    return { tls }
  }
}

const part = <K extends keyof Parts>(name: K, value: string, read: (text: string) => Parts[K]) =>
  value === "" ? {} : { [name]: read(decodeURIComponent(value)) }

/** Throws a `RangeError` that quotes nothing of the URL but its parameters. */
export const parse = (url: Redacted.Redacted<string>): Parts => {
  const wrong = () =>
    OptionCheck.wrong("url", url, "a `Redacted` URL such as \"postgresql://user:password@host:5432/database\"")
  if (!Redacted.isRedacted(url)) throw OptionCheck.wrong("url", Redacted.make(url), "made by `Redacted.make`")
  const text = Redacted.value(url)
  // A URL without a host is right if a parameter has it.
  const parsed = URL.parse(text.replace(/^(postgres(?:ql)?:\/\/(?:[^/?#]*@)?)(?=[/?#]|$)/, "$1localhost"))
  if (parsed === null || !/^postgres(?:ql)?:$/.test(parsed.protocol)) throw wrong()
  let parts: Parts
  try {
    parts = {
      ...part("host", parsed.hostname, (host) => host.replace(/^\[(.*)\]$/, "$1")),
      ...part("port", parsed.port, Number),
      ...part("user", parsed.username, String),
      ...part("password", parsed.password, (password) => Redacted.make(password, { label: "password" })),
      ...part("database", parsed.pathname.slice(1), String)
    }
  } catch {
    // A percent sign that encodes nothing.
    throw wrong()
  }
  for (const [name, value] of parsed.searchParams) {
    const read = Object.hasOwn(known, name) ? known[name] : undefined
    if (read === undefined) {
      const names = Object.keys(known).join(", ")
      throw OptionCheck.wrong("url", name, `one with no other parameters than ${names}`)
    }
    parts = { ...parts, ...read(value) }
  }
  return parts
}
