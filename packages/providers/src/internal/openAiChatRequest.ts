import type { ChatRequest, Json, Message, ToolChoice } from "../ChatRequest.ts"

type JsonObject = { readonly [key: string]: Json }

const message = (message: Message): JsonObject => {
  switch (message.role) {
    case "system":
    case "user":
      return { role: message.role, content: message.content }
    case "tool":
      return { role: "tool", tool_call_id: message.toolCallId, content: message.content }
    case "assistant": {
      const calls = message.toolCalls ?? []
      return {
        role: "assistant",
        content: message.content ?? null,
        ...(calls.length > 0 && {
          tool_calls: calls.map(({ id, name, arguments: text }) => ({
            id,
            type: "function",
            function: { name, arguments: text }
          }))
        })
      }
    }
  }
}

const toolChoice = (choice: ToolChoice): Json =>
  typeof choice === "string" ? choice : { type: "function", function: { name: choice.tool } }

/** The JSON body. What the request leaves undefined is left out. */
export const encodeRequest = (request: ChatRequest, options: { readonly stream: boolean }): JsonObject => {
  const tools = request.tools ?? []
  // How the answer is to come is not the request's to say: we must read it.
  const { stream: _, stream_options: __, ...extras } = request.extras ?? {}
  return {
    ...extras,
    model: request.model,
    messages: request.messages.map(message),
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, parameters, strict }) => ({
        type: "function",
        function: {
          name,
          ...(description !== undefined && { description }),
          parameters: parameters as JsonObject,
          ...(strict !== undefined && { strict })
        }
      })),
      ...(request.toolChoice !== undefined && { tool_choice: toolChoice(request.toolChoice) }),
      ...(request.parallelToolCalls !== undefined && { parallel_tool_calls: request.parallelToolCalls })
    }),
    ...(request.format !== undefined && {
      response_format: {
        type: "json_schema",
        json_schema: { name: request.format.name, schema: request.format.schema as JsonObject, strict: true }
      }
    }),
    ...(request.maxOutputTokens !== undefined && { max_completion_tokens: request.maxOutputTokens }),
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.topP !== undefined && { top_p: request.topP }),
    ...(request.stop !== undefined && { stop: request.stop }),
    ...(request.seed !== undefined && { seed: request.seed }),
    ...(options.stream && { stream: true, stream_options: { include_usage: true } })
  }
}
