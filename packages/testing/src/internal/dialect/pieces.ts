/** Cuts an answer into the pieces of a stream. */
import type { ChatEvent } from "@clawback/providers/ChatEvent"
import type { Behavior, Step } from "../faulty/script.ts"

/** An estimate of the tokens of a text: four bytes each. */
export const tokens = (text: string): number => Math.ceil(Buffer.byteLength(text) / 4)

/** Cuts between characters, never within one. */
const slices = (text: string, size: number): ReadonlyArray<string> => {
  const characters = Array.from(text)
  return Array.from(
    { length: Math.ceil(characters.length / size) },
    (_, i) => characters.slice(i * size, (i + 1) * size).join("")
  )
}

/** The same events, with no text longer than `size` characters. */
export const cut = (events: ReadonlyArray<ChatEvent>, size: number): ReadonlyArray<ChatEvent> => {
  const pieces: Array<ChatEvent> = []
  for (const event of events) {
    if (event._tag === "TextDelta" || event._tag === "ReasoningDelta" || event._tag === "RefusalDelta") {
      for (const text of slices(event.text, size)) pieces.push({ ...event, text })
    } else if (event._tag === "ToolCallDelta") {
      for (const text of slices(event.arguments, size)) pieces.push({ ...event, arguments: text })
    } else pieces.push(event)
  }
  return pieces
}

const sourceOf = (piece: string | Uint8Array) =>
  typeof piece === "string" ? { text: piece } : { base64: Buffer.from(piece).toString("base64") }

/** A stream of these pieces, each written by itself, with a pause before each but the first. */
export const behavior = (
  pieces: ReadonlyArray<string | Uint8Array>,
  headers: Readonly<Record<string, string>>,
  pauseMillis: number
): Behavior => ({
  name: "speech",
  steps: [
    { _tag: "Head", status: 200, headers },
    ...pieces.flatMap((piece, i): ReadonlyArray<Step> => [
      ...(i === 0 || pauseMillis === 0 ? [] : [{ _tag: "Wait", millis: pauseMillis } as const]),
      { _tag: "Body", source: sourceOf(piece) }
    ])
  ]
})
