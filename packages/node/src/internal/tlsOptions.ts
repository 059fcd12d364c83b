/** The option `tls` of clients. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Redacted from "effect/Redacted"
import * as NodeTls from "node:tls"

/** Whether connections are encrypted, or how. */
export type Tls =
  | boolean
  | Pick<
    NodeTls.ConnectionOptions,
    | "ca"
    | "cert"
    | "key"
    | "passphrase"
    | "servername"
    | "rejectUnauthorized"
    | "minVersion"
    | "maxVersion"
    | "ciphers"
  >

/** Returns what Node takes, or nothing for no encryption. Throws a `RangeError` that quotes no secret. */
export const check = (tls: Tls): NodeTls.ConnectionOptions | undefined => {
  if (typeof tls === "boolean") return tls ? {} : undefined
  try {
    NodeTls.createSecureContext(tls)
  } catch (cause) {
    const wanted = `a boolean, or what Node takes for TLS (${cause instanceof Error ? cause.message : cause})`
    throw OptionCheck.wrong("tls", Redacted.make(tls), wanted)
  }
  return tls
}
