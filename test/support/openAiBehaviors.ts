/** OpenAI's chat completions, as behaviors of a faulty provider. */
import { Behavior } from "@clawback/testing"

export interface Tokens {
  readonly input: number
  readonly output: number
  readonly cached?: number
}

const usageOf = ({ cached = 0, input, output }: Tokens) => ({
  prompt_tokens: input,
  completion_tokens: output,
  prompt_tokens_details: { cached_tokens: cached }
})

const head = { id: "chatcmpl-1", model: "gpt-5-2025" }

const chunk = (delta: object, finish: string | null = null) =>
  JSON.stringify({ ...head, choices: [{ index: 0, delta, finish_reason: finish }] })

/** A stream of two pieces of text, its finish and its usage. */
export const streamed = (tokens: Tokens): Behavior.Behavior =>
  Behavior.sse([
    chunk({ content: "Hello" }),
    chunk({ content: " you" }),
    chunk({}, "stop"),
    JSON.stringify({ ...head, choices: [], usage: usageOf(tokens) }),
    "[DONE]"
  ])

/** A stream that goes on until its reader leaves. */
export const endless: Behavior.Behavior = Behavior.sse([chunk({ content: "on and on" })], {
  every: "5 millis",
  endless: true
})

/** A stream that says something and is then reset. */
export const cut: Behavior.Behavior = Behavior.cutAt(
  Behavior.sse([chunk({ content: "Hello" }), chunk({ content: " you" })], { every: "20 millis" }),
  150,
  "reset"
)

/** An answer in one piece. */
export const whole = (tokens: Tokens): Behavior.Behavior =>
  Behavior.json({
    ...head,
    choices: [{ index: 0, message: { role: "assistant", content: "Hello" }, finish_reason: "stop" }],
    usage: usageOf(tokens)
  })
