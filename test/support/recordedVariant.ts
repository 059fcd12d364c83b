/** How another form of a recording is made. */
import type { Recording } from "./recordings.ts"

type Json = any

export interface Variant {
  readonly name: string
  /** Undefined: the recording has nothing that could have this form. */
  readonly of: (recording: Recording, random: () => number) => Recording | undefined
}

export const parsed = (text: string | null): Json => {
  try {
    return text === null ? undefined : JSON.parse(text)
  } catch {
    return undefined
  }
}

const isObject = (value: Json): boolean => typeof value === "object" && value !== null && !Array.isArray(value)

/** Changes a copy of the JSON. Returns false, and it has not this form. */
export type Change = (json: Json, random: () => number) => boolean | void

const changed = (text: string | null, change: Change, random: () => number): string | undefined => {
  const json = parsed(text)
  if (!isObject(json) || change(json, random) === false) return undefined
  const written = JSON.stringify(json)
  return written === JSON.stringify(parsed(text)) ? undefined : written
}

/** A variant of whole answers. */
export const ofAnswer = (protocol: Recording["protocol"], name: string, change: Change): Variant => ({
  name,
  of: (recording, random) => {
    if (recording.protocol !== protocol || recording.kind !== "response") return undefined
    const responseBody = changed(recording.responseBody, change, random)
    return responseBody === undefined ? undefined : { ...recording, requestBody: null, responseBody }
  }
})

/** A variant of requests. */
export const ofRequest = (protocol: Recording["protocol"], name: string, change: Change): Variant => ({
  name,
  of: (recording, random) => {
    // A request that the vendor rejected says nothing of others.
    if (recording.protocol !== protocol || recording.kind === "error") return undefined
    const requestBody = changed(recording.requestBody, change, random)
    return requestBody === undefined ? undefined : { ...recording, requestBody }
  }
})
