import type { Peer } from "../../Protocol.ts"

const formsOf = (secret: string): ReadonlyArray<string> => {
  const quoted = JSON.stringify(secret).slice(1, -1)
  const inQuery = new URLSearchParams({ "": secret }).toString().slice(1)
  return [secret, quoted, quoted.replaceAll("/", "\\/"), encodeURIComponent(secret.toWellFormed()), inQuery]
}

type Range = readonly [start: number, end: number]

const rangesOf = (form: string, text: string): ReadonlyArray<Range> => {
  const ranges: Array<Range> = []
  for (let at = text.indexOf(form); at >= 0; at = text.indexOf(form, at + 1)) ranges.push([at, at + form.length])
  return ranges
}

/**
 * The provider that one attempt is sent to. Redacts the attempt's secrets in texts, also as JSON and URLs spell them.
 *
 * Secrets may contain or overlap each other, so all are found before any is redacted. A pattern would be shorter, but the
 * engine's cache of patterns keeps their texts.
 */
export class Recipient implements Peer {
  readonly provider: string
  private readonly secrets: () => ReadonlyArray<string>
  private forms: ReadonlyArray<string> | undefined = undefined

  constructor(provider: string, secrets: () => ReadonlyArray<string>) {
    this.provider = provider
    this.secrets = secrets
  }

  redact(text: string): string {
    this.forms ??= [...new Set(this.secrets().filter((secret) => secret !== "").flatMap(formsOf))]
    const ranges = this.forms.flatMap((form) => rangesOf(form, text)).toSorted(([one], [other]) => one - other)
    let redacted = ""
    let redactedTo = 0
    for (const [start, end] of ranges) {
      if (start >= redactedTo) redacted += `${text.slice(redactedTo, start)}<redacted>`
      redactedTo = Math.max(redactedTo, end)
    }
    return redacted + text.slice(redactedTo)
  }
}
