/** What OpenAI's own SDK sends and understands, as a second opinion. It speaks to no network. */
import OpenAI, { APIError } from "openai"

export const client = (answer: (request: Request) => Response | Promise<Response>) =>
  new OpenAI({
    apiKey: "sk-nobody",
    baseURL: "http://localhost/v1",
    maxRetries: 0,
    logLevel: "off",
    fetch: async (input, init) => answer(new Request(input, init))
  })

/** The body that the SDK sends. */
export const sent = async (call: (sdk: OpenAI) => PromiseLike<unknown>, answer = "{}"): Promise<unknown> => {
  let body: unknown
  await call(client(async (request) => {
    body = await request.json()
    return new Response(answer, { headers: { "content-type": "application/json" } })
  }))
  return body
}

/** The body that the SDK sends for these parameters. */
export const sentBody = (parameters: OpenAI.ChatCompletionCreateParams): Promise<unknown> =>
  sent((sdk) => sdk.chat.completions.create(parameters))

type Bytes = Uint8Array<ArrayBuffer>

const streaming = (bytes: Bytes) =>
  client(() => new Response(bytes, { headers: { "content-type": "text/event-stream" } }))

/** The chunks that the SDK finds in a stream's bytes. */
export const chunks = async (bytes: Bytes): Promise<ReadonlyArray<OpenAI.ChatCompletionChunk>> => {
  const found: Array<OpenAI.ChatCompletionChunk> = []
  const stream = await streaming(bytes).chat.completions.create({ model: "gpt-5", messages: [], stream: true })
  for await (const chunk of stream) found.push(chunk)
  return found
}

/** The chunks that the SDK finds before an error, and the error. */
export const chunksAndError = async (bytes: Bytes) => {
  const found: Array<OpenAI.ChatCompletionChunk> = []
  try {
    const stream = await streaming(bytes).chat.completions.create({ model: "gpt-5", messages: [], stream: true })
    for await (const chunk of stream) found.push(chunk)
    return { chunks: found, error: undefined }
  } catch (error) {
    return { chunks: found, error }
  }
}

/** The answer that the SDK puts together out of a stream's bytes. */
export const completion = (bytes: Bytes): Promise<OpenAI.ChatCompletion> =>
  streaming(bytes).chat.completions.stream({ model: "gpt-5", messages: [] }).finalChatCompletion()

/** What the SDK makes of an answer in one piece. */
export const whole = (body: string): Promise<OpenAI.ChatCompletion> =>
  client(() => new Response(body, { headers: { "content-type": "application/json" } }))
    .chat.completions.create({ model: "gpt-5", messages: [] })

/** The error that the SDK throws for this response. */
export const failure = async (status: number, headers: Record<string, string>, body: string) => {
  try {
    await client(() => new Response(body, { status, headers })).chat.completions.create({
      model: "gpt-5",
      messages: []
    })
  } catch (error) {
    if (error instanceof APIError) return error
    throw error
  }
  throw new Error("The SDK took it for a success")
}
