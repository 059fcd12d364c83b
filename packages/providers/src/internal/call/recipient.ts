import type { Peer } from "../../Protocol.ts"

const formsOf = (secret: string): ReadonlyArray<string> => {
  const quoted = JSON.stringify(secret).slice(1, -1)
  const inQuery = new URLSearchParams({ "": secret }).toString().slice(1)
  return [secret, quoted, quoted.replaceAll("/", "\\/"), encodeURIComponent(secret.toWellFormed()), inQuery]
}

/** The provider that one attempt is sent to. Strikes the attempt's secrets out of texts, also as JSON and URLs spell them. */
export class Recipient implements Peer {
  readonly provider: string
  private readonly secrets: () => ReadonlyArray<string>
  private forms: ReadonlySet<string> | undefined = undefined

  constructor(provider: string, secrets: () => ReadonlyArray<string>) {
    this.provider = provider
    this.secrets = secrets
  }

  redact(text: string): string {
    this.forms ??= new Set(this.secrets().filter((secret) => secret !== "").flatMap(formsOf))
    let redacted = text
    for (const form of this.forms) redacted = redacted.replaceAll(form, "<redacted>")
    return redacted
  }
}
