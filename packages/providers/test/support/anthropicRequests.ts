/** Requests, as the model has them and as the protocol's own client is told them. */
import type { ChatRequest } from "@clawback/providers"

export interface Case {
  readonly name: string
  readonly request: Partial<ChatRequest.ChatRequest>
  readonly parameters: object
  /** What comes back where it is not what was sent: the merges that the protocol lists. */
  readonly back?: Partial<ChatRequest.ChatRequest>
}

const own = (fields: Record<string, never> | object) => ({
  extras: { "anthropic-messages": fields as ChatRequest.JsonObject }
})
const cached = { cache_control: { type: "ephemeral" } } as const
const foreign = { extras: { "openai-chat": { name: "Ann" } } }

const user = (content: ChatRequest.UserMessage["content"]): ChatRequest.Message => ({ role: "user", content })
const assistant = (content: ChatRequest.AssistantMessage["content"]): ChatRequest.Message => ({
  role: "assistant",
  content
})
const system = (content: ChatRequest.SystemMessage["content"]): ChatRequest.Message => ({ role: "system", content })
const text = (text: string, more: object = {}): ChatRequest.TextPart => ({ type: "text", text, ...more })
const native = (value: ChatRequest.JsonObject, ...instead: ReadonlyArray<string>): ChatRequest.NativePart => ({
  type: "native",
  protocol: "anthropic-messages",
  value,
  ...(instead.length > 0 && { instead: instead.map((said) => text(said)) })
})
const called = (id: string, name: string, args: string, more: object = {}): ChatRequest.ToolCallPart => ({
  type: "tool-call",
  id,
  name,
  arguments: args,
  ...more
})
const result = (
  toolCallId: string,
  content: ChatRequest.ToolMessage["content"],
  more: object = {}
): ChatRequest.Message => ({ role: "tool", toolCallId, content, ...more })

const uses = (id: string, name: string, input: object, more: object = {}) => ({
  type: "tool_use",
  id,
  name,
  input,
  ...more
})
const gives = (tool_use_id: string, content: unknown, more: object = {}) => ({
  type: "tool_result",
  tool_use_id,
  content,
  ...more
})

/** Of messages and what they are on the wire. */
const talk = (
  name: string,
  messages: ReadonlyArray<ChatRequest.Message>,
  wire: object,
  back?: ReadonlyArray<ChatRequest.Message>
): Case => ({
  name,
  request: { messages },
  parameters: wire,
  ...(back !== undefined && { back: { messages: back } })
})

const hello = user("Hello.")
const wireHello = { role: "user", content: "Hello." }
const addition = { type: "tool_addition", tool: { type: "tool_reference", name: "clock" } }
const pixel = "iVBORw0KGgo="

const messages: ReadonlyArray<Case> = [
  talk("a text", [hello], { messages: [wireHello] }),
  talk("a text in a part", [user([text("Hello.")])], { messages: [wireHello] }, [hello]),
  talk("several texts", [user([text("Hello."), text("Again.")])], {
    messages: [{ role: "user", content: [{ type: "text", text: "Hello." }, { type: "text", text: "Again." }] }]
  }),
  talk("a text that is cached", [user([text("Hello.", own(cached))])], {
    messages: [{ role: "user", content: [{ type: "text", text: "Hello.", ...cached }] }]
  }),
  talk("a message with something to it", [{ role: "user", content: "Hello.", ...own({ tag: 1 }) }], {
    messages: [{ ...wireHello, tag: 1 }]
  }),
  talk("another protocol's extras", [{ role: "user", content: [text("Hello.", foreign)], ...foreign }], {
    messages: [wireHello]
  }, [hello]),
  talk("an empty text among others", [user([text(""), text("Hello.")])], { messages: [wireHello] }, [hello]),
  talk("a message that says nothing", [hello, assistant(""), user("Again.")], {
    messages: [{ role: "user", content: [{ type: "text", text: "Hello." }, { type: "text", text: "Again." }] }]
  }, [user([text("Hello."), text("Again.")])]),
  talk("a conversation", [hello, assistant("Hi."), user("How are you?")], {
    messages: [wireHello, { role: "assistant", content: "Hi." }, { role: "user", content: "How are you?" }]
  }),
  talk("an answer to go on from", [hello, assistant("Hi, ")], {
    messages: [wireHello, { role: "assistant", content: "Hi, " }]
  }),
  talk("neighbours that the user said", [hello, user("Again.")], {
    messages: [{ role: "user", content: [{ type: "text", text: "Hello." }, { type: "text", text: "Again." }] }]
  }, [user([text("Hello."), text("Again.")])]),
  talk("neighbours that the model said", [hello, assistant("Hi"), assistant(" there.")], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "text", text: "Hi" }, { type: "text", text: " there." }]
    }]
  }, [hello, assistant([text("Hi"), text(" there.")])]),
  talk("a system prompt", [system("Be kind."), hello], { system: "Be kind.", messages: [wireHello] }),
  talk("a system prompt of parts", [system([text("Be kind.", own(cached)), text("Be brief.")]), hello], {
    system: [{ type: "text", text: "Be kind.", ...cached }, { type: "text", text: "Be brief." }],
    messages: [wireHello]
  }),
  talk("several system prompts", [system("Be kind."), system("Be brief."), hello], {
    system: [{ type: "text", text: "Be kind." }, { type: "text", text: "Be brief." }],
    messages: [wireHello]
  }, [system([text("Be kind."), text("Be brief.")]), hello]),
  talk("instructions that come later", [hello, assistant("Hi."), system("Be brief."), user("Go on.")], {
    messages: [wireHello, { role: "assistant", content: "Hi." }, { role: "system", content: "Be brief." }, {
      role: "user",
      content: "Go on."
    }]
  }),
  talk("a system prompt that is cached", [{ role: "system", content: "Be kind.", ...own(cached) }, hello], {
    system: [{ type: "text", text: "Be kind.", ...cached }],
    messages: [wireHello]
  }, [system([text("Be kind.", own(cached))]), hello]),
  talk("several system prompts, the first of which is cached", [
    { role: "system", content: "Be kind.", ...own(cached) },
    system("Be brief."),
    hello
  ], {
    system: [{ type: "text", text: "Be kind.", ...cached }, { type: "text", text: "Be brief." }],
    messages: [wireHello]
  }, [system([text("Be kind.", own(cached)), text("Be brief.")]), hello]),
  talk("messages that are cached", [
    { role: "user", content: [text("Hello."), text("Hey.")], ...own(cached) },
    {
      role: "assistant",
      content: [text("Hi."), { type: "reasoning", text: "Hm.", signature: "c2ln" }],
      ...own(cached)
    },
    {
      role: "user",
      content: [text("Go on.", own({ cache_control: { type: "ephemeral", ttl: "1h" } }))],
      ...own(cached)
    }
  ], {
    messages: [
      { role: "user", content: [{ type: "text", text: "Hello." }, { type: "text", text: "Hey.", ...cached }] },
      {
        role: "assistant",
        content: [{ type: "text", text: "Hi.", ...cached }, { type: "thinking", thinking: "Hm.", signature: "c2ln" }]
      },
      {
        role: "user",
        content: [{ type: "text", text: "Go on.", cache_control: { type: "ephemeral", ttl: "1h" } }]
      }
    ]
  }, [
    user([text("Hello."), text("Hey.", own(cached))]),
    assistant([text("Hi.", own(cached)), { type: "reasoning", text: "Hm.", signature: "c2ln" }]),
    user([text("Go on.", own({ cache_control: { type: "ephemeral", ttl: "1h" } }))])
  ]),
  talk("tools that come and go", [
    hello,
    assistant("Hi."),
    system([native(addition), text("There is a clock now.")]),
    { role: "system", content: "Soon forgotten.", ...own({ clear_at: "next_user_message" }) },
    { role: "system", content: "", ...own({ output_config: { effort: "low" } }) },
    user("What time is it?")
  ], {
    messages: [
      wireHello,
      { role: "assistant", content: "Hi." },
      { role: "system", content: [addition, { type: "text", text: "There is a clock now." }] },
      { role: "system", content: "Soon forgotten.", clear_at: "next_user_message" },
      { role: "system", output_config: { effort: "low" } },
      { role: "user", content: "What time is it?" }
    ]
  }),
  talk("tools that come first", [system("Be kind."), system([native(addition)]), hello], {
    system: "Be kind.",
    messages: [{ role: "system", content: [addition] }, wireHello]
  }),
  talk("an image", [user([text("What is it?"), { type: "image", source: { mediaType: "image/png", data: pixel } }])], {
    messages: [{
      role: "user",
      content: [{ type: "text", text: "What is it?" }, {
        type: "image",
        source: { type: "base64", media_type: "image/png", data: pixel }
      }]
    }]
  }),
  talk("an image by its address", [user([{ type: "image", source: { url: "https://example.test/a.png" } }])], {
    messages: [{
      role: "user",
      content: [{ type: "image", source: { type: "url", url: "https://example.test/a.png" } }]
    }]
  }),
  talk("an image by its file", [
    user([{ type: "image", source: { fileId: "file_1", protocol: "anthropic-messages" }, ...own(cached) }])
  ], {
    messages: [{ role: "user", content: [{ type: "image", source: { type: "file", file_id: "file_1" }, ...cached }] }]
  }),
  talk("how closely to look at an image", [
    user([{ type: "image", source: { url: "https://example.test/a.png" }, detail: "low" }])
  ], {
    messages: [{
      role: "user",
      content: [{ type: "image", source: { type: "url", url: "https://example.test/a.png" } }]
    }]
  }, [user([{ type: "image", source: { url: "https://example.test/a.png" } }])]),
  talk("a document", [
    user([{
      type: "file",
      name: "Report",
      source: { mediaType: "application/pdf", data: "JVBERi0=" },
      ...own({ citations: { enabled: true }, context: "Draft" })
    }])
  ], {
    messages: [{
      role: "user",
      content: [{
        type: "document",
        title: "Report",
        source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" },
        citations: { enabled: true },
        context: "Draft"
      }]
    }]
  }),
  talk("a document by its address", [user([{ type: "file", source: { url: "https://example.test/a.pdf" } }])], {
    messages: [{
      role: "user",
      content: [{ type: "document", source: { type: "url", url: "https://example.test/a.pdf" } }]
    }]
  }),
  talk(
    "a document by its file",
    [user([{ type: "file", source: { fileId: "file_1" } }])],
    { messages: [{ role: "user", content: [{ type: "document", source: { type: "file", file_id: "file_1" } }] }] },
    [user([{ type: "file", source: { fileId: "file_1", protocol: "anthropic-messages" } }])]
  ),
  talk("a document of plain text", [
    user([{ type: "file", source: { mediaType: "text/plain", data: "R3LDvMOfZSDwn4yn77iP" } }])
  ], {
    messages: [{
      role: "user",
      content: [{ type: "document", source: { type: "text", media_type: "text/plain", data: "Grüße 🌧️" } }]
    }]
  }),
  talk("a document of blocks", [
    user([native({ type: "document", source: { type: "content", content: "It rains." } }, "It rains.")])
  ], {
    messages: [{ role: "user", content: [{ type: "document", source: { type: "content", content: "It rains." } }] }]
  }),
  talk("a search result", [
    user([
      native(
        { type: "search_result", source: "a", title: "A", content: [{ type: "text", text: "It rains." }] },
        "A\na",
        "It rains."
      )
    ])
  ], {
    messages: [{
      role: "user",
      content: [{ type: "search_result", source: "a", title: "A", content: [{ type: "text", text: "It rains." }] }]
    }]
  }),
  talk("thinking", [hello, assistant([{ type: "reasoning", text: "Hm.", signature: "c2ln" }, text("Hi.")])], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "thinking", thinking: "Hm.", signature: "c2ln" }, { type: "text", text: "Hi." }]
    }]
  }),
  talk("thinking that is not shown", [
    hello,
    assistant([{ type: "reasoning", text: "", signature: "c2ln" }, text("Hi.")])
  ], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "thinking", thinking: "", signature: "c2ln" }, { type: "text", text: "Hi." }]
    }]
  }),
  talk("redacted thinking", [hello, assistant([{ type: "reasoning", text: "", redacted: "ZGF0YQ==" }, text("Hi.")])], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "redacted_thinking", data: "ZGF0YQ==" }, { type: "text", text: "Hi." }]
    }]
  }),
  talk("thinking of both kinds between calls", [
    hello,
    assistant([{ type: "reasoning", text: "One.", signature: "b25l" }, called("a", "f", "{}"), {
      type: "reasoning",
      text: "",
      redacted: "ZGF0YQ=="
    }, called("b", "g", "{}")])
  ], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "thinking", thinking: "One.", signature: "b25l" }, uses("a", "f", {}), {
        type: "redacted_thinking",
        data: "ZGF0YQ=="
      }, uses("b", "g", {})]
    }]
  }),
  talk("another provider's thinking", [hello, assistant([{ type: "reasoning", text: "Hm." }, text("Hi.")])], {
    messages: [wireHello, { role: "assistant", content: "Hi." }]
  }, [hello, assistant("Hi.")]),
  talk("a refusal", [hello, assistant([{ type: "refusal", text: "No." }])], {
    messages: [wireHello, { role: "assistant", content: "No." }]
  }, [hello, assistant("No.")]),
  talk("a text with citations", [
    hello,
    assistant([text("It rains.", own({ citations: [{ type: "char_location", cited_text: "It rains." }] }))])
  ], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "text", text: "It rains.", citations: [{ type: "char_location", cited_text: "It rains." }] }]
    }]
  }),
  talk(
    "citations as a stream told them",
    [hello, assistant([text("It rains."), native({ type: "citations_delta", citation: { type: "char_location" } })])],
    { messages: [wireHello, { role: "assistant", content: "It rains." }] },
    [hello, assistant("It rains.")]
  ),
  talk("a search that the provider ran", [
    hello,
    assistant([
      native({ type: "server_tool_use", id: "s", name: "web_search", input: { query: "rain" } }),
      native({ type: "web_search_tool_result", tool_use_id: "s", content: [] }),
      text("It rains.")
    ])
  ], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "server_tool_use", id: "s", name: "web_search", input: { query: "rain" } }, {
        type: "web_search_tool_result",
        tool_use_id: "s",
        content: []
      }, { type: "text", text: "It rains." }]
    }]
  }),
  talk("a tool call and its result", [
    hello,
    assistant([text("Let me look."), called("a", "weather", "{\"city\":\"Bergen\"}")]),
    result("a", "Rain.")
  ], {
    messages: [wireHello, {
      role: "assistant",
      content: [{ type: "text", text: "Let me look." }, uses("a", "weather", { city: "Bergen" })]
    }, { role: "user", content: [gives("a", "Rain.")] }]
  }),
  talk("parallel tool calls and their results", [
    hello,
    assistant([called("a", "weather", "{\"n\":1}"), called("b", "weather", "{\"n\":2}")]),
    result("a", "Rain."),
    result("b", "Sun.")
  ], {
    messages: [wireHello, {
      role: "assistant",
      content: [uses("a", "weather", { n: 1 }), uses("b", "weather", { n: 2 })]
    }, { role: "user", content: [gives("a", "Rain."), gives("b", "Sun.")] }]
  }),
  talk("results with a question after them", [
    hello,
    assistant([called("a", "weather", "{}")]),
    result("a", "Rain."),
    user("And tomorrow?")
  ], {
    messages: [wireHello, { role: "assistant", content: [uses("a", "weather", {})] }, {
      role: "user",
      content: [gives("a", "Rain."), { type: "text", text: "And tomorrow?" }]
    }]
  }),
  talk("a tool call without arguments", [hello, assistant([called("a", "clock", "")]), result("a", "")], {
    messages: [wireHello, { role: "assistant", content: [uses("a", "clock", {})] }, {
      role: "user",
      content: [gives("a", "")]
    }]
  }, [hello, assistant([called("a", "clock", "{}")]), result("a", "")]),
  talk("arguments that are spelled otherwise", [
    hello,
    assistant([called("a", "f", "{ \"x\" : 1.0 }")]),
    result("a", "1")
  ], {
    messages: [wireHello, { role: "assistant", content: [uses("a", "f", { x: 1 })] }, {
      role: "user",
      content: [gives("a", "1")]
    }]
  }, [hello, assistant([called("a", "f", "{\"x\":1}")]), result("a", "1")]),
  talk("arguments that are not JSON", [
    hello,
    assistant([called("a", "f", "{\"x\":")]),
    result("a", "?", { isError: true })
  ], {
    messages: [wireHello, { role: "assistant", content: [uses("a", "f", { INVALID_JSON: "{\"x\":" })] }, {
      role: "user",
      content: [gives("a", "?", { is_error: true })]
    }]
  }, [hello, assistant([called("a", "f", "{\"INVALID_JSON\":\"{\\\"x\\\":\"}")]), result("a", "?", { isError: true })]),
  talk("arguments with a name of JavaScript's", [
    hello,
    assistant([called("a", "f", "{\"__proto__\":{\"x\":1}}")]),
    result("a", "1")
  ], {
    messages: [wireHello, { role: "assistant", content: [uses("a", "f", JSON.parse("{\"__proto__\":{\"x\":1}}"))] }, {
      role: "user",
      content: [gives("a", "1")]
    }]
  }),
  talk("a call that code made", [
    hello,
    assistant([called("a", "f", "{}", own({ caller: { type: "code_execution_20250825", tool_id: "s" } }))]),
    result("a", "1", own(cached))
  ], {
    messages: [wireHello, {
      role: "assistant",
      content: [uses("a", "f", {}, { caller: { type: "code_execution_20250825", tool_id: "s" } })]
    }, { role: "user", content: [gives("a", "1", cached)] }]
  }),
  talk("a result of parts", [
    hello,
    assistant([called("a", "f", "{}")]),
    result("a", [text("Here:"), { type: "image", source: { mediaType: "image/png", data: pixel } }, {
      type: "file",
      source: { mediaType: "application/pdf", data: "JVBERi0=" }
    }, native({ type: "tool_reference", tool_name: "g" })], { isError: false })
  ], {
    messages: [wireHello, { role: "assistant", content: [uses("a", "f", {})] }, {
      role: "user",
      content: [
        gives("a", [
          { type: "text", text: "Here:" },
          { type: "image", source: { type: "base64", media_type: "image/png", data: pixel } },
          { type: "document", source: { type: "base64", media_type: "application/pdf", data: "JVBERi0=" } },
          { type: "tool_reference", tool_name: "g" }
        ], { is_error: false })
      ]
    }]
  })
]

const schema = { type: "object", properties: { city: { type: "string" } }, required: ["city"] } as const
const weather = { name: "weather", description: "The weather", parameters: schema }
const wireWeather = { name: "weather", description: "The weather", input_schema: schema }
const search = { type: "web_search_20250305", name: "web_search", max_uses: 3 } as const
const nativeSearch: ChatRequest.NativeTool = { protocol: "anthropic-messages", definition: search }

const say = (
  name: string,
  request: Partial<ChatRequest.ChatRequest>,
  parameters: object,
  back?: Partial<ChatRequest.ChatRequest>
): Case => ({
  name,
  request,
  parameters,
  ...(back !== undefined && { back })
})

const parameters: ReadonlyArray<Case> = [
  say("a limit of the answer", { maxOutputTokens: 77 }, { max_tokens: 77 }),
  say("no limit of the answer", { maxOutputTokens: undefined }, { max_tokens: 4096 }, { maxOutputTokens: 4096 }),
  say("a temperature", { temperature: 0 }, { temperature: 0 }),
  say("nucleus sampling", { topP: 0.9, topK: 40 }, { top_p: 0.9, top_k: 40 }),
  say("stop sequences", { stop: ["END", "\n\n"] }, { stop_sequences: ["END", "\n\n"] }),
  say("a service tier", { serviceTier: "standard_only" }, { service_tier: "standard_only" }),
  say("a user", { user: "u-1" }, { metadata: { user_id: "u-1" } }),
  say("more about a user", { user: "u-1", ...own({ metadata: { team: "t" } }) }, {
    metadata: { user_id: "u-1", team: "t" }
  }),
  say("what is as if it was not said", { choices: 1, presencePenalty: 0, frequencyPenalty: 0 }, {}, {}),
  say("a tool", { tools: [weather] }, { tools: [wireWeather] }),
  say("a tool without a description", { tools: [{ name: "clock", parameters: { type: "object" } }] }, {
    tools: [{ name: "clock", input_schema: { type: "object" } }]
  }),
  say("a tool whose schema has no type", { tools: [{ name: "clock", parameters: {} }] }, {
    tools: [{ name: "clock", input_schema: { type: "object" } }]
  }, { tools: [{ name: "clock", parameters: { type: "object" } }] }),
  say("a strict tool", { tools: [{ ...weather, strict: true }] }, { tools: [{ ...wireWeather, strict: true }] }),
  say("a tool with more to it", {
    tools: [{ ...weather, ...own({ ...cached, defer_loading: true, input_examples: [{ city: "Bergen" }] }) }]
  }, { tools: [{ ...wireWeather, ...cached, defer_loading: true, input_examples: [{ city: "Bergen" }] }] }),
  say("tools of the provider", { tools: [weather, nativeSearch] }, { tools: [wireWeather, search] }),
  say("any choice of tools", { tools: [weather], toolChoice: "auto" }, {
    tools: [wireWeather],
    tool_choice: { type: "auto" }
  }),
  say("no tool", { tools: [weather], toolChoice: "none" }, { tools: [wireWeather], tool_choice: { type: "none" } }),
  say("some tool", { tools: [weather], toolChoice: "required" }, {
    tools: [wireWeather],
    tool_choice: { type: "any" }
  }),
  say("this tool", { tools: [weather], toolChoice: { tool: "weather" } }, {
    tools: [wireWeather],
    tool_choice: { type: "tool", name: "weather" }
  }),
  say("one tool at a time", { tools: [weather], toolChoice: "required", parallelToolCalls: false }, {
    tools: [wireWeather],
    tool_choice: { type: "any", disable_parallel_tool_use: true }
  }),
  say("several tools at a time", { tools: [weather], toolChoice: { tool: "weather" }, parallelToolCalls: true }, {
    tools: [wireWeather],
    tool_choice: { type: "tool", name: "weather", disable_parallel_tool_use: false }
  }),
  say("one tool at a time, without a choice", { tools: [weather], parallelToolCalls: false }, {
    tools: [wireWeather],
    tool_choice: { type: "auto", disable_parallel_tool_use: true }
  }, { tools: [weather], toolChoice: "auto", parallelToolCalls: false }),
  say("no tool at a time", { tools: [weather], toolChoice: "none", parallelToolCalls: false }, {
    tools: [wireWeather],
    tool_choice: { type: "none" }
  }, { tools: [weather], toolChoice: "none" }),
  say("a choice among no tools", { tools: [], toolChoice: "required", parallelToolCalls: false }, {}, {}),
  say("a budget of thinking", { maxOutputTokens: 20_000, reasoning: { budgetTokens: 2048 } }, {
    max_tokens: 20_000,
    thinking: { type: "enabled", budget_tokens: 2048 }
  }),
  say("room for thinking and answer", { maxOutputTokens: undefined, reasoning: { budgetTokens: 2048 } }, {
    max_tokens: 6144,
    thinking: { type: "enabled", budget_tokens: 2048 }
  }, { maxOutputTokens: 6144, reasoning: { budgetTokens: 2048 } }),
  say("no thinking", { reasoning: { budgetTokens: 0 } }, { thinking: { type: "disabled" } }),
  say("an effort", { reasoning: { effort: "high" } }, {
    thinking: { type: "adaptive" },
    output_config: { effort: "high" }
  }),
  say("room for an effort", { maxOutputTokens: undefined, reasoning: { effort: "high" } }, {
    max_tokens: 20_480,
    thinking: { type: "adaptive" },
    output_config: { effort: "high" }
  }, { maxOutputTokens: 20_480, reasoning: { effort: "high" } }),
  say("no effort", { reasoning: { effort: "none" } }, { thinking: { type: "disabled" } }, {
    reasoning: { budgetTokens: 0 }
  }),
  say("the least effort", { reasoning: { effort: "minimal" } }, {
    thinking: { type: "adaptive" },
    output_config: { effort: "low" }
  }, { reasoning: { effort: "low" } }),
  say("an effort within a budget", { maxOutputTokens: 8192, reasoning: { effort: "max", budgetTokens: 4096 } }, {
    max_tokens: 8192,
    thinking: { type: "enabled", budget_tokens: 4096 },
    output_config: { effort: "max" }
  }),
  say("an effort without thinking", { reasoning: { effort: "low", budgetTokens: 0 } }, {
    thinking: { type: "disabled" },
    output_config: { effort: "low" }
  }),
  say("an effort and nothing about thinking", { reasoning: { effort: "low" }, ...own({ thinking: null }) }, {
    output_config: { effort: "low" }
  }),
  say("thinking as the model likes", own({ thinking: { type: "adaptive" } }), { thinking: { type: "adaptive" } }),
  say("thinking that is not to be shown", {
    reasoning: { effort: "high" },
    ...own({ thinking: { display: "omitted" } })
  }, { thinking: { type: "adaptive", display: "omitted" }, output_config: { effort: "high" } }),
  say("thinking between tools", { reasoning: { effort: "high" }, ...own({ thinking: { type: "between_tools" } }) }, {
    thinking: { type: "between_tools" },
    output_config: { effort: "high" }
  }),
  say("a format", { format: { type: "json-schema", name: "answer", schema } }, {
    output_config: { format: { type: "json_schema", schema } }
  }),
  say(
    "a format with more to it",
    { format: { type: "json-schema", name: "place", description: "A place", schema, strict: true } },
    { output_config: { format: { type: "json_schema", schema } } },
    { format: { type: "json-schema", name: "answer", schema } }
  ),
  say("a format and an effort", {
    format: { type: "json-schema", name: "answer", schema },
    reasoning: { effort: "low" }
  }, { output_config: { effort: "low", format: { type: "json_schema", schema } }, thinking: { type: "adaptive" } }),
  say("a format that is new", own({ output_config: { format: { type: "regex", pattern: "a+" } } }), {
    output_config: { format: { type: "regex", pattern: "a+" } }
  }),
  say(
    "what only this protocol has",
    own({
      ...cached,
      container: "c_1",
      inference_geo: "eu",
      speed: "fast",
      mcp_servers: [{ url: "https://example.test" }]
    }),
    { ...cached, container: "c_1", inference_geo: "eu", speed: "fast", mcp_servers: [{ url: "https://example.test" }] }
  ),
  say("what only another protocol has", { extras: { "openai-chat": { logit_bias: { 1: 2 } } } }, {}, {})
]

export const cases: ReadonlyArray<Case> = [...messages, ...parameters]
