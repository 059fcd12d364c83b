import type { Peer } from "../../Protocol.ts"

const formsOf = (secret: string): ReadonlyArray<string> => {
  const quoted = JSON.stringify(secret).slice(1, -1)
  const inQuery = new URLSearchParams({ "": secret }).toString().slice(1)
  return [secret, quoted, quoted.replaceAll("/", "\\/"), encodeURIComponent(secret.toWellFormed()), inQuery]
}

/** A shorter secret may also be part of an ordinary word. It is redacted only as a word of its own. */
const shortestInWords = 8
const inWord = /[\p{L}\p{N}_]/u

/** Whether a range begins and ends where a word does. */
const isWord = (text: string, [start, end]: Range): boolean => {
  const continues = (at: number) => inWord.test(text.charAt(at - 1)) && inWord.test(text.charAt(at))
  return !continues(start) && !continues(end)
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
 * A secret of less than 8 characters is redacted only as a whole word. Secrets may contain or overlap each other, so all are
 * found before any is redacted. A pattern would be shorter, but the engine's cache of patterns keeps their texts.
 */
export class Recipient implements Peer {
  readonly provider: string
  private readonly secrets: () => ReadonlyArray<string>
  private forms: { readonly anywhere: ReadonlyArray<string>; readonly words: ReadonlyArray<string> } | undefined

  constructor(provider: string, secrets: () => ReadonlyArray<string>) {
    this.provider = provider
    this.secrets = secrets
  }

  redact(text: string): string {
    const { anywhere, words } = this.forms ??= this.allForms()
    const ranges = [
      ...anywhere.flatMap((form) => rangesOf(form, text)),
      ...words.flatMap((form) => rangesOf(form, text)).filter((range) => isWord(text, range))
    ].toSorted(([one], [other]) => one - other)
    let redacted = ""
    let redactedTo = 0
    for (const [start, end] of ranges) {
      if (start >= redactedTo) redacted += `${text.slice(redactedTo, start)}<redacted>`
      redactedTo = Math.max(redactedTo, end)
    }
    return redacted + text.slice(redactedTo)
  }

  private allForms() {
    const secrets = this.secrets().filter((secret) => secret !== "")
    const formsWhere = (isLong: boolean) =>
      Array.from(new Set(secrets.filter(({ length }) => length >= shortestInWords === isLong).flatMap(formsOf)))
    return { anywhere: formsWhere(true), words: formsWhere(false) }
  }
}
