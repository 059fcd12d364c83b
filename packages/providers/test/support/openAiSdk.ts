/** What OpenAI's own SDK sends and understands, as a second opinion. It speaks to no network. */
import OpenAI from "openai"

const client = (answer: (request: Request) => Response | Promise<Response>) =>
  new OpenAI({
    apiKey: "sk-nobody",
    baseURL: "http://localhost/v1",
    maxRetries: 0,
    logLevel: "off",
    fetch: async (input, init) => answer(new Request(input, init))
  })

/** The body that the SDK sends for these parameters. */
export const sentBody = async (parameters: OpenAI.ChatCompletionCreateParams): Promise<unknown> => {
  let body: unknown
  await client(async (request) => {
    body = await request.json()
    return new Response("{}", { headers: { "content-type": "application/json" } })
  }).chat.completions.create(parameters)
  return body
}

/** What an answer comes to, whoever decoded it. */
export interface Answer {
  readonly text: string
  readonly refusal: string
  readonly calls: ReadonlyArray<{ readonly id: string; readonly name: string; readonly arguments: string }>
  readonly finish: string | undefined
  readonly usage:
    | { readonly input: number | undefined; readonly cached: number | undefined; readonly output: number | undefined }
    | undefined
}

/** What the SDK makes of a stream's bytes. */
export const decodedStream = async (bytes: Uint8Array<ArrayBuffer>): Promise<Answer> => {
  const stream = await client(() => new Response(bytes, { headers: { "content-type": "text/event-stream" } }))
    .chat.completions.create({ model: "gpt-5", messages: [], stream: true })
  let text = ""
  let refusal = ""
  let finish: string | undefined
  let usage: OpenAI.CompletionUsage | undefined
  const calls: Array<{ id: string; name: string; arguments: string }> = []
  for await (const chunk of stream) {
    usage = chunk.usage ?? usage
    const choice = chunk.choices[0]
    text += choice?.delta.content ?? ""
    refusal += choice?.delta.refusal ?? ""
    finish ??= choice?.finish_reason ?? undefined
    for (const fragment of choice?.delta.tool_calls ?? []) {
      const call = calls[fragment.index] ??= { id: "", name: "", arguments: "" }
      call.id ||= fragment.id ?? ""
      call.name ||= fragment.function?.name ?? ""
      call.arguments += fragment.function?.arguments ?? ""
    }
  }
  return {
    text,
    refusal,
    calls,
    finish,
    usage: usage && {
      input: usage.prompt_tokens,
      cached: usage.prompt_tokens_details?.cached_tokens,
      output: usage.completion_tokens
    }
  }
}
