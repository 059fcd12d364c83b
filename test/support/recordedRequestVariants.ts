/** Other forms of requests, which vendors accept. */
import { type Change, ofRequest, type Variant } from "./recordedVariant.ts"

type Json = any

const chat = (name: string, change: Change): Variant => ofRequest("openai-chat", `request: ${name}`, change)
const anthropic = (name: string, change: Change): Variant => ofRequest("anthropic-messages", `request: ${name}`, change)

const messages = (role: string, change: (message: Json) => void): Change => (body) => {
  const found = (body.messages ?? []).filter((message: Json) => message.role === role)
  found.forEach(change)
  return found.length > 0
}

const calls = (change: (call: Json) => void): Change => ({ messages }) => {
  const found = (messages ?? []).flatMap((message: Json) => message.tool_calls ?? [])
  found.forEach(change)
  return found.length > 0
}

const withCalls = (change: (message: Json) => void): Change =>
  messages("assistant", (message) => {
    if (message.tool_calls?.length > 0) change(message)
  })

const texts: Change = ({ messages }) => {
  for (const message of messages ?? []) {
    if (typeof message.content === "string" && message.content !== "") {
      message.content = [{ type: "text", text: message.content }]
    }
  }
}

const tools = (change: (tool: Json) => void): Change => ({ tools }) => {
  tools?.forEach(change)
  return tools?.length > 0
}

const optional = [
  "temperature",
  "top_p",
  "seed",
  "stop",
  "tools",
  "tool_choice",
  "response_format",
  "user",
  "stream_options",
  "logit_bias",
  "n",
  "max_tokens",
  "metadata",
  "service_tier",
  "parallel_tool_calls"
]

const cached = { cache_control: { type: "ephemeral", ttl: "1h" } }

export const requestVariants: ReadonlyArray<Variant> = [
  chat("contents as parts", texts),
  chat("calls and results without ids", (body) => {
    if (
      calls((call) => {
        call.id = ""
      })(body, Math.random) === false
    ) return false
    messages("tool", (message) => {
      message.tool_call_id = ""
    })(body, Math.random)
    return true
  }),
  chat("two calls and results without ids", (body) => {
    const { messages: all } = body
    const place = all?.findIndex(({ role, tool_calls }: Json) => role === "assistant" && tool_calls?.length === 1) ?? -1
    const [answer, result] = place < 0 ? [] : all.slice(place, place + 2)
    if (result?.role !== "tool") return false
    const call = { ...answer.tool_calls[0], id: "" }
    answer.tool_calls = [call, { ...call }]
    result.tool_call_id = ""
    all.splice(place + 2, 0, { ...result, content: "another result" })
    return true
  }),
  chat("null for all that is optional", (body) => {
    for (const name of optional) body[name] ??= null
  }),
  chat(
    "no content beside calls",
    withCalls((message) => {
      if (!message.content) delete message.content
    })
  ),
  chat(
    "an empty text beside calls",
    withCalls((message) => {
      message.content ??= ""
    })
  ),
  chat(
    "an empty list beside calls",
    withCalls((message) => {
      if (!message.content) message.content = []
    })
  ),
  chat(
    "null in messages",
    messages("assistant", (message) => {
      for (const name of ["refusal", "audio", "function_call", "tool_calls", "name", "annotations"]) {
        message[name] ??= null
      }
    })
  ),
  chat(
    "no calls as an empty list",
    messages("assistant", (message) => {
      message.tool_calls ??= []
    })
  ),
  chat("names", (body) => {
    for (const message of body.messages ?? []) message.name ??= "a"
  }),
  chat(
    "developers for systems",
    messages("system", (message) => {
      message.role = "developer"
    })
  ),
  chat(
    "calls without types",
    calls((call) => {
      delete call.type
    })
  ),
  chat(
    "arguments as objects",
    calls(({ function: details }) => {
      if (details) details.arguments = JSON.parse(details.arguments || "{}")
    })
  ),
  chat(
    "no arguments",
    calls(({ function: details }) => {
      if (details?.arguments === "{}") delete details.arguments
    })
  ),
  chat(
    "null for a result",
    messages("tool", (message) => {
      message.content = null
    })
  ),
  chat(
    "no result",
    messages("tool", (message) => {
      delete message.content
    })
  ),
  chat(
    "null for the content of an answer",
    messages("assistant", (message) => {
      if (!message.tool_calls) message.content = null
    })
  ),
  chat("marks for caching", (body) => {
    for (const message of body.messages ?? []) {
      if (typeof message.content === "string" && message.content !== "") {
        message.content = [{ type: "text", text: message.content, ...cached }]
      }
    }
    for (const tool of body.tools ?? []) Object.assign(tool, cached)
  }),
  chat("unknown fields and parts", (body) => {
    body.x_new = { a: null }
    body.messages?.push({ role: "user", content: [{ type: "x_new", x_new: { a: 1 } }], x_new: 1 })
  }),
  chat(
    "tools without parameters",
    tools(({ function: details }) => {
      if (details) delete details.parameters
    })
  ),
  chat(
    "null for parameters",
    tools(({ function: details }) => {
      if (details) details.parameters = null
    })
  ),
  chat(
    "null in a schema",
    tools(({ function: details }) => {
      if (details?.parameters) details.parameters.default = null
    })
  ),
  chat("one text to stop at", (body) => {
    body.stop = "END"
  }),
  chat("no texts to stop at", (body) => {
    body.stop = []
  }),
  chat("both limits", (body) => {
    const limit = body.max_tokens ?? body.max_completion_tokens
    if (limit === undefined) return false
    body.max_tokens = body.max_completion_tokens = limit
    return true
  }),
  chat("text as the format", (body) => {
    body.response_format ??= { type: "text" }
  }),
  chat("effort and thinking", (body) => {
    if (body.reasoning === undefined) body.reasoning_effort ??= "low"
    body.thinking ??= { type: "enabled", budget_tokens: 1024 }
    body.enable_thinking ??= true
  }),
  chat("numbers of many kinds", (body) => {
    Object.assign(body, { seed: 0, n: 1, logprobs: true, top_logprobs: 2, logit_bias: { 50256: -100 }, min_p: 0.05 })
  }),
  chat("streams with and without usage", (body) => {
    body.stream = true
    body.stream_options = { include_usage: false }
  }),
  anthropic("contents as blocks", texts),
  anthropic("the system as blocks that are cached", (body) => {
    if (typeof body.system === "string") body.system = [{ type: "text", text: body.system, ...cached }]
  }),
  anthropic("null for all that is optional", (body) => {
    for (
      const name of [
        "system",
        "tools",
        "tool_choice",
        "stop_sequences",
        "temperature",
        "top_p",
        "top_k",
        "metadata",
        "thinking",
        "container",
        "service_tier"
      ]
    ) {
      body[name] ??= null
    }
  }),
  anthropic("unknown fields and blocks", (body) => {
    body.x_new = { a: null }
    body.messages?.push({ role: "user", content: [{ type: "x_new", a: 1 }] })
  }),
  anthropic("a container's upload and documents", (body) => {
    body.messages?.push({
      role: "user",
      content: [
        { type: "container_upload", file_id: "file_1" },
        {
          type: "document",
          source: { type: "text", media_type: "text/plain", data: "a" },
          title: null,
          context: "b",
          citations: { enabled: true }
        },
        { type: "document", source: { type: "url", url: "https://a.test/b.pdf" } },
        { type: "image", source: { type: "file", file_id: "file_2" } },
        { type: "search_result", source: "https://a.test", title: "a", content: [{ type: "text", text: "b" }] }
      ]
    })
  }),
  anthropic("results without content", (body) => {
    for (const { content } of body.messages ?? []) {
      if (Array.isArray(content)) {
        for (const block of content) if (block.type === "tool_result") delete block.content
      }
    }
  }),
  anthropic("tools with types", (body) => {
    for (const tool of body.tools ?? []) tool.type ??= "custom"
  })
]
