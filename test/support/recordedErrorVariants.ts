/** Other forms of the bodies of errors. The class stays the same. */
import { parsed, type Variant } from "./recordedVariant.ts"
import type { Recording } from "./recordings.ts"

type Json = any

const errors = (name: string, change: (error: Json, body: Json) => Json): Variant => ({
  name: `error: ${name}`,
  of: (recording: Recording) => {
    const body = parsed(recording.responseBody)
    const error = body?.error ?? (Array.isArray(body) ? body[0]?.error : undefined)
    if (recording.kind !== "error" || recording.status < 400 || typeof error !== "object" || error === null) {
      return undefined
    }
    const changed = change(error, body)
    return changed === undefined
      ? undefined
      : {
        ...recording,
        requestBody: null,
        responseBody: typeof changed === "string" ? changed : JSON.stringify(changed)
      }
  }
})

const isChat = ({ type }: Json): boolean => type !== "error"

export const errorVariants: ReadonlyArray<Variant> = [
  errors("in a list", (error, body) => isChat(body) ? [{ error }] : undefined),
  errors(
    "as the body",
    (error, body) => isChat(body) && typeof error.code !== "number" ? { object: "error", ...error } : undefined
  ),
  errors("with a number for its code", (error) => ({ error: { ...error, code: error.code ?? 400 } })),
  errors("with unknown fields", (error, body) => ({ ...body, error: { ...error, x_new: { a: 1 } }, x_new: 1 })),
  errors("after a byte order mark", (_, body) => `\ufeff${JSON.stringify(body)}`),
  errors("after empty lines", (_, body) => `\n\n${JSON.stringify(body)}\n`)
]
