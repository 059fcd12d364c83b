/** What both applications do. */
import type { Turn } from "./traffic.ts"

/** Answers at once. It gets all that the chatbot remembers, and the question last. */
type Model = (messages: ReadonlyArray<string>) => string

export interface Chatbot {
  /** Whether it forgets conversations that nobody uses. */
  readonly isForgetful: boolean
  /** Lets time pass up to a moment of the trace. */
  readonly pass: (at: number) => Promise<void>
  readonly answer: (turn: Turn, model: Model) => Promise<void>
  readonly close: () => Promise<void>
}
