/** What Anthropic's own SDK sends and understands, as a second opinion. It speaks to no network. */
import Anthropic from "@anthropic-ai/sdk"

const client = (answer: (request: Request) => Response | Promise<Response>) =>
  new Anthropic({
    apiKey: "sk-nobody",
    baseURL: "http://localhost",
    maxRetries: 0,
    logLevel: "off",
    fetch: async (input, init) => answer(new Request(input, init))
  })

/** The body that the SDK sends for these parameters. */
export const sentBody = async (parameters: object): Promise<unknown> => {
  let body: unknown
  await client(async (request) => {
    body = await request.json()
    return new Response("{}", { headers: { "content-type": "application/json" } })
  }).messages.create(parameters as Anthropic.MessageCreateParams)
  return body
}

const asked = { model: "claude", max_tokens: 1, messages: [] }

/** What the SDK makes of a stream's bytes. It fails where the stream does. */
export const decodedStream = (bytes: string): Promise<Anthropic.Message> =>
  client(() => new Response(bytes, { headers: { "content-type": "text/event-stream" } }))
    .messages.stream(asked).finalMessage()

/** The events that the SDK finds in a stream's bytes before an error, and the error. */
export const eventsAndError = async (bytes: string) => {
  const found: Array<Anthropic.RawMessageStreamEvent> = []
  try {
    const stream = await client(() => new Response(bytes, { headers: { "content-type": "text/event-stream" } }))
      .messages.create({ ...asked, stream: true })
    for await (const event of stream) found.push(event)
    return { events: found, error: undefined }
  } catch (error) {
    return { events: found, error }
  }
}

/** What the SDK makes of a body. */
export const decodedBody = (body: object): Promise<Anthropic.Message> =>
  client(() => Response.json(body)).messages.create(asked)

/** What the SDK makes of an error. */
export const decodedError = async (
  reply: { readonly status: number; readonly headers: Readonly<Record<string, string>>; readonly body: object }
): Promise<unknown> => {
  try {
    return await client(() => Response.json(reply.body, reply)).messages.create(asked)
  } catch (error) {
    return error
  }
}
