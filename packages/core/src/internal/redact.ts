import * as Redacted from "effect/Redacted"

const sensitive = /authorization|api[-_]?key|token|secret|password|credential|cookie/i

/** Attributes as they may be shown: secrets, and what is named like one, are struck out. */
export const redact = (attributes: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> => {
  const shown: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(attributes)) {
    shown[name] = Redacted.isRedacted(value) || sensitive.test(name) ? "<redacted>" : value
  }
  return shown
}
