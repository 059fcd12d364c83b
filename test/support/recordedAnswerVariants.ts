/** Other forms of whole answers. */
import { type Change, ofAnswer, type Variant } from "./recordedVariant.ts"

type Json = any

const chat = (name: string, change: Change): Variant => ofAnswer("openai-chat", name, change)
const anthropic = (name: string, change: Change): Variant => ofAnswer("anthropic-messages", name, change)

const some = (list: Json): boolean => Array.isArray(list) && list.length > 0

/** Changes each message. */
const messages = (change: (message: Json) => void): Change => ({ choices }) => {
  for (const { message } of choices ?? []) if (message !== undefined) change(message)
}

const choices = (change: (choice: Json) => void): Change => (body) => body.choices?.forEach(change)

/** Changes each call. */
const calls = (change: (call: Json) => void): Change => ({ choices }) => {
  const found = (choices ?? []).flatMap(({ message }: Json) => message?.tool_calls ?? [])
  found.forEach(change)
  return found.length > 0
}

const thinking = ["reasoning_content", "reasoning"]

/** Mistral, z.ai, DeepSeek, Together, Google, Anthropic's models behind gateways. */
const finishes = [
  "model_length",
  "error",
  "sensitive",
  "network_error",
  "insufficient_system_resource",
  "eos",
  "STOP",
  "end_turn",
  "tool_use"
]

export const chatVariants: ReadonlyArray<Variant> = [
  chat(
    "content as parts",
    messages((message) => {
      if (typeof message.content === "string" && message.content !== "") {
        message.content = [{ type: "text", text: message.content }]
      }
    })
  ),
  chat(
    "content as two parts, one without a type",
    messages((message) => {
      if (typeof message.content === "string" && message.content !== "") {
        message.content = [{ type: "text", text: message.content.slice(0, 3) }, { text: message.content.slice(3) }]
      }
    })
  ),
  chat(
    "an empty text as null",
    messages((message) => {
      if (message.content === "") message.content = null
    })
  ),
  chat(
    "an empty text as no field",
    messages((message) => {
      if (message.content === "") delete message.content
    })
  ),
  chat(
    "an empty text as an empty list",
    messages((message) => {
      if (message.content === "" || message.content === null) message.content = []
    })
  ),
  chat(
    "no text as an empty one",
    messages((message) => {
      message.content ??= ""
    })
  ),
  chat(
    "calls with empty ids",
    calls((call) => {
      call.id = ""
    })
  ),
  chat(
    "calls without ids",
    calls((call) => {
      delete call.id
    })
  ),
  chat(
    "calls with null for ids",
    calls((call) => {
      call.id = null
    })
  ),
  chat(
    "calls without types",
    calls((call) => {
      delete call.type
    })
  ),
  chat(
    "calls with numbers",
    calls((call) => {
      call.index = 0
    })
  ),
  chat(
    "arguments as an object",
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
    "null for arguments",
    calls(({ function: details }) => {
      if (details?.arguments === "{}") details.arguments = null
    })
  ),
  chat(
    "two calls for one",
    messages((message) => {
      if (some(message.tool_calls)) {
        message.tool_calls = [...message.tool_calls, { ...message.tool_calls[0], id: "call_2" }]
      }
    })
  ),
  chat(
    "two calls without ids",
    messages((message) => {
      if (some(message.tool_calls)) {
        message.tool_calls = [...message.tool_calls, message.tool_calls[0]].map((call) =>
          Object.assign({}, call, { id: "" })
        )
      }
    })
  ),
  chat(
    "a call in the old form",
    messages((message) => {
      if (message.tool_calls?.length !== 1 || !message.tool_calls[0].function) return
      message.function_call = message.tool_calls[0].function
      delete message.tool_calls
    })
  ),
  chat(
    "null for the finish",
    choices((choice) => {
      choice.finish_reason = null
    })
  ),
  chat(
    "no finish",
    choices((choice) => {
      delete choice.finish_reason
    })
  ),
  chat(
    "an empty finish",
    choices((choice) => {
      choice.finish_reason = ""
    })
  ),
  chat("another vendor's finish", (body, random) => {
    for (const choice of body.choices ?? []) choice.finish_reason = finishes[Math.floor(random() * finishes.length)]
  }),
  chat("no usage", (body) => delete body.usage),
  chat("null for the usage", (body) => {
    body.usage = null
  }),
  chat("an empty usage", (body) => {
    body.usage = {}
  }),
  chat("null in the usage", (body) => {
    if (body.usage) body.usage.prompt_tokens_details = body.usage.completion_tokens_details = null
  }),
  chat("half of the usage", (body) => {
    if (body.usage) delete body.usage.completion_tokens
  }),
  chat(
    "thinking under the other name",
    messages((message) => {
      const [name, other] = typeof message.reasoning === "string" ? ["reasoning", "reasoning_content"] : thinking
      if (typeof message[name!] !== "string" || typeof message[other!] === "string") return
      message[other!] = message[name!]
      delete message[name!]
    })
  ),
  chat(
    "thinking under both names",
    messages((message) => {
      for (const [name, other] of [thinking, thinking.toReversed()]) {
        if (typeof message[name!] === "string") message[other!] ??= message[name!]
      }
    })
  ),
  chat(
    "an empty thought",
    messages((message) => {
      if (thinking.every((name) => message[name] === undefined)) message.reasoning_content = ""
    })
  ),
  chat(
    "null for all that is not there",
    messages((message) => {
      for (
        const name of [
          "refusal",
          "tool_calls",
          "function_call",
          "audio",
          "annotations",
          "reasoning",
          "reasoning_content"
        ]
      ) {
        message[name] ??= null
      }
    })
  ),
  chat(
    "an empty refusal",
    messages((message) => {
      message.refusal ??= ""
    })
  ),
  chat(
    "a refusal",
    messages((message) => {
      if (some(message.tool_calls)) return
      message.refusal = "I cannot."
      message.content = null
    })
  ),
  chat(
    "annotations, sound and other fields",
    messages((message) => {
      message.annotations = [{
        type: "url_citation",
        url_citation: { url: "https://a.test", title: "a", start_index: 0, end_index: 1 }
      }]
      message.audio = { id: "audio_1", data: "AAAA", expires_at: 1, transcript: "a" }
      message.images = [{ type: "image_url", image_url: { url: "data:image/png;base64,AA==" } }]
    })
  ),
  chat("unknown fields", (body) => {
    body.x_new = { a: [1, null] }
    for (const choice of body.choices ?? []) choice.x_new = "a"
  }),
  chat(
    "log probabilities",
    choices((choice) => {
      choice.logprobs = { content: [{ token: "a", logprob: -1, bytes: [97], top_logprobs: [] }], refusal: null }
    })
  ),
  chat(
    "no numbers of choices",
    choices((choice) => {
      delete choice.index
    })
  ),
  chat("two choices", (body) => {
    if (body.choices?.length === 1) body.choices.push({ ...body.choices[0], index: 1 })
  }),
  chat("no envelope", (body) => {
    for (const name of ["id", "object", "created", "model"]) delete body[name]
  }),
  chat("null for the envelope", (body) => {
    for (const name of ["id", "object", "created", "model", "system_fingerprint", "service_tier"]) body[name] = null
  }),
  chat("null for an error", (body) => {
    body.error = null
  }),
  chat(
    "no role",
    messages((message) => {
      delete message.role
    })
  )
]

const blocks = (type: string, change: (block: Json) => void): Change => ({ content }) => {
  const found = (content ?? []).filter((block: Json) => block.type === type)
  found.forEach(change)
  return found.length > 0
}

const adds = (...added: ReadonlyArray<Json>): Change => ({ content }) => {
  content?.unshift(...added)
}

export const anthropicVariants: ReadonlyArray<Variant> = [
  anthropic("null for the finish", (body) => {
    body.stop_reason = null
  }),
  anthropic("no finish", (body) => delete body.stop_reason),
  anthropic("another finish", (body, random) => {
    const other = ["pause_turn", "refusal", "model_context_window_exceeded", "new_reason"]
    body.stop_reason = other[Math.floor(random() * other.length)]
  }),
  anthropic("a stop sequence", (body) => {
    body.stop_reason = "stop_sequence"
    body.stop_sequence = "END"
  }),
  anthropic("only two counts", (body) => {
    body.usage = { input_tokens: 3, output_tokens: 4 }
  }),
  anthropic("null for other counts", (body) => {
    body.usage = { input_tokens: 3, output_tokens: 4, cache_read_input_tokens: null, cache_creation_input_tokens: null }
  }),
  anthropic("counts of caches and tools", (body) => {
    body.usage = {
      ...body.usage,
      cache_creation_input_tokens: 7,
      cache_read_input_tokens: 5,
      cache_creation: { ephemeral_1h_input_tokens: 7, ephemeral_5m_input_tokens: 0 },
      server_tool_use: { web_search_requests: 1 },
      service_tier: "priority"
    }
  }),
  anthropic("no content", (body) => {
    body.content = []
  }),
  anthropic("thinking without a signature", adds({ type: "thinking", thinking: "Hm." })),
  anthropic("thinking with an empty signature", adds({ type: "thinking", thinking: "Hm.", signature: "" })),
  anthropic("redacted thinking", adds({ type: "redacted_thinking", data: "AAAA" })),
  anthropic(
    "tools of the server",
    adds(
      { type: "server_tool_use", id: "srvtoolu_1", name: "web_search", input: { query: "a" } },
      { type: "web_search_tool_result", tool_use_id: "srvtoolu_1", content: [] },
      { type: "mcp_tool_use", id: "mcptoolu_1", name: "f", server_name: "s", input: {} },
      { type: "mcp_tool_result", tool_use_id: "mcptoolu_1", is_error: false, content: [{ type: "text", text: "a" }] },
      { type: "container_upload", file_id: "file_1" },
      { type: "x_new", anything: [1] }
    )
  ),
  anthropic(
    "a caller in the container",
    blocks("tool_use", (block) => {
      block.caller = { type: "code_execution_20250825", tool_id: "srvtoolu_1" }
    })
  ),
  anthropic(
    "calls without input",
    blocks("tool_use", (block) => {
      delete block.input
    })
  ),
  anthropic(
    "null for the input",
    blocks("tool_use", (block) => {
      block.input = null
    })
  ),
  anthropic(
    "calls without ids",
    blocks("tool_use", (block) => {
      delete block.id
    })
  ),
  anthropic(
    "citations",
    blocks("text", (block) => {
      block.citations = [{
        type: "char_location",
        cited_text: "a",
        document_index: 0,
        start_char_index: 0,
        end_char_index: 1
      }]
    })
  ),
  anthropic("unknown fields", (body) => {
    body.x_new = { a: null }
    for (const block of body.content ?? []) block.x_new = 1
  }),
  anthropic("no envelope", (body) => {
    for (const name of ["id", "type", "role", "model", "stop_sequence"]) delete body[name]
  })
]
