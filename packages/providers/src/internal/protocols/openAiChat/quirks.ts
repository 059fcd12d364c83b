/**
 * In what servers of this protocol differ. Each provider declares its quirks, and the protocol asks them: no code asks which
 * provider it talks to.
 */
export interface Quirks {
  /**
   * The field of `maxOutputTokens`.
   *
   * OpenAI's newer models refuse `max_tokens` ("Use 'max_completion_tokens' instead", 400 `unsupported_parameter`). Many
   * compatible servers know nothing else: Mistral's API reference, for one, has only `max_tokens`.
   */
  readonly maxTokensField: "max_completion_tokens" | "max_tokens"
  /**
   * The field of the model's thinking, which OpenAI's own reference does not have.
   *
   * Both names are read in any case; if a server sends both, the declared one counts. `as-received` sends thinking back
   * under the name under which it came from a server of this protocol. A name sends it back under that name, and with it
   * what another protocol's model thought without signing it: DeepSeek answers 400 if `reasoning_content` is missing beside
   * tool calls (its guide to thinking mode). `never` sends none back: Mistral refuses the field.
   *
   * `reasoning_content` at DeepSeek, xAI, Alibaba, Moonshot and llama.cpp; `reasoning` at Groq, OpenRouter, Cerebras and
   * Ollama (recorded traffic, 2026).
   */
  readonly reasoningField: "as-received" | "never" | "reasoning_content" | "reasoning"
  /**
   * The ids of tool calls that the server accepts. An id that it does not accept is sent as one that it does, the same each
   * time, so that calls and results still match.
   *
   * Mistral: "must be a-z, A-Z, 0-9, with a length of 9", else 400 with the code 3280.
   */
  readonly toolIds: "any" | { readonly alphanumeric: number }
  /**
   * How a stream reports usage.
   *
   * - `include_usage`: in `usage`, if `stream_options.include_usage` asks for it. OpenAI's API reference.
   * - `unasked`: in `usage` of the last chunk, always. Mistral refused `stream_options` with 422 `extra_forbidden`.
   * - `x_groq`: in `x_groq.usage` of the last chunk, always. Groq's API reference.
   */
  readonly usage: "include_usage" | "unasked" | "x_groq"
  /**
   * The field of `topK`. OpenAI has none and refuses `top_k`; vLLM, OpenRouter, Together and others take it. A request with
   * a `topK` for a server that has none is `Unsupported`.
   */
  readonly topK: "top_k" | "unsupported"
  /** The role of instructions that name no role of their own. OpenAI's o-models prefer `developer`; few others know it. */
  readonly systemRole: "system" | "developer"
  /** The field of `seed`. Mistral's API reference has `random_seed`. */
  readonly seedField: "seed" | "random_seed"
  /** The word for a tool choice of `required`. Mistral's API reference has `any`. */
  readonly requiredTool: "required" | "any"
}

/** OpenAI's own server, and what most servers accept. */
export const defaults: Quirks = {
  maxTokensField: "max_completion_tokens",
  reasoningField: "as-received",
  toolIds: "any",
  usage: "include_usage",
  topK: "top_k",
  systemRole: "system",
  seedField: "seed",
  requiredTool: "required"
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

/** FNV-1a, 64 bits. */
const hash = (text: string): bigint => {
  let value = 0xcbf29ce484222325n
  for (let at = 0; at < text.length; at++) {
    value = BigInt.asUintN(64, (value ^ BigInt(text.charCodeAt(at))) * 0x100000001b3n)
  }
  return value
}

/** The id as the server accepts it. */
export const toolId = ({ toolIds }: Quirks, id: string): string => {
  if (toolIds === "any" || (id.length === toolIds.alphanumeric && /^[0-9A-Za-z]+$/.test(id))) return id
  let left = hash(id)
  let accepted = ""
  while (accepted.length < toolIds.alphanumeric) {
    accepted += alphabet[Number(left % 62n)]
    left /= 62n
  }
  return accepted
}

/** The name under which thinking goes back to the server. Undefined if it does not. */
export const reasoningName = (
  { reasoningField }: Quirks,
  { isSigned, received }: { readonly received: string | undefined; readonly isSigned: boolean }
): string | undefined => {
  switch (reasoningField) {
    case "as-received":
      return received
    case "never":
      return undefined
    default:
      return received === undefined && isSigned ? undefined : reasoningField
  }
}
