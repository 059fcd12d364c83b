/** Errors of many vendors, as they were recorded or documented, and what each means. */
import { AnthropicMessages, OpenAiChat, OpenAiEmbeddings, type Protocol, type ProviderError } from "@clawback/providers"
import { assert, describe, it } from "@effect/vitest"
import { Duration } from "effect"

type Tag = ProviderError.ProviderError["_tag"]
type Case = readonly [vendor: string, status: number, body: string, tag: Tag]

const peer: Protocol.Peer = { provider: "provider", redact: (text) => text }

const said = (fields: object) => JSON.stringify({ error: fields })
const google = (code: number, status: string, message: string, details: ReadonlyArray<object> = []) =>
  JSON.stringify([{ error: { code, message, status, details } }])
const invalid = { type: "invalid_request_error", param: null }

const openAi: ReadonlyArray<Case> = [
  [
    "llama.cpp",
    400,
    said({
      code: 400,
      message: "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
      type: "exceed_context_size_error"
    }),
    "ContextTooLong"
  ],
  [
    "llama.cpp, older",
    500,
    said({
      code: 500,
      message: "the request exceeds the available context size. try increasing the context size",
      type: "exceed_context_size_error"
    }),
    "ContextTooLong"
  ],
  [
    "llama.cpp, without a type",
    500,
    said({ message: "the request exceeds the available context size" }),
    "ContextTooLong"
  ],
  [
    "llama.cpp, in a success",
    200,
    said({ code: 400, message: "the request exceeds the available context size.", type: "exceed_context_size_error" }),
    "ContextTooLong"
  ],
  [
    "llama.cpp, an input that it does not split",
    500,
    said({
      code: 500,
      message:
        "input (4002 tokens) is too large to process. increase the physical batch size (current batch size: 512)",
      type: "server_error"
    }),
    "ContextTooLong"
  ],
  [
    "llama.cpp, the same, older",
    500,
    said({
      code: 500,
      message: "input is too large to process. increase the physical batch size",
      type: "server_error"
    }),
    "ContextTooLong"
  ],
  [
    "llama.cpp, an embedding of a longer text than the context",
    500,
    said({ code: 500, message: "input is larger than the max context size. skipping", type: "server_error" }),
    "ContextTooLong"
  ],
  [
    "llama.cpp, a fault of its own",
    500,
    said({ code: 500, message: "Compute error.", type: "server_error" }),
    "ProviderFailed"
  ],
  [
    "Ollama",
    400,
    said({ ...invalid, message: "prompt too long; exceeded max context length by 6 tokens", code: null }),
    "ContextTooLong"
  ],
  [
    "Ollama, older",
    500,
    said({ message: "prompt too long; exceeded max context length by 6 tokens" }),
    "ContextTooLong"
  ],
  [
    "Perplexity",
    400,
    said({ message: "Prompt contains 150000 tokens, too many", type: "too_many_prompt_tokens", code: 400 }),
    "ContextTooLong"
  ],
  [
    "Perplexity, prompt and answer",
    400,
    said({
      message: "Requested 115120 to generate tokens, following a prompt of length 40055",
      type: "requested_too_many_tokens",
      code: 400
    }),
    "ContextTooLong"
  ],
  [
    "LM Studio",
    400,
    JSON.stringify({
      error: "The number of tokens to keep from the initial prompt is greater than the context length " +
        "(n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length."
    }),
    "ContextTooLong"
  ],
  [
    "GitHub Models",
    413,
    said({ code: "tokens_limit_reached", message: "Request body too large for gpt-4o model. Max size: 8000 tokens." }),
    "ContextTooLong"
  ],
  [
    "DeepSeek",
    400,
    said({
      ...invalid,
      message: "This model's maximum context length is 1048565 tokens.",
      code: "invalid_request_error"
    }),
    "ContextTooLong"
  ],
  [
    "Google",
    400,
    google(
      400,
      "INVALID_ARGUMENT",
      "The input token count (134123) exceeds the maximum number of tokens allowed (131072)."
    ),
    "ContextTooLong"
  ],
  [
    "Mistral",
    400,
    JSON.stringify({
      object: "error",
      message: "Invalid model: definitely-not-a-model",
      type: "invalid_model",
      param: null,
      code: "1500",
      raw_status_code: 400
    }),
    "ModelNotFound"
  ],
  ["OpenRouter", 400, said({ code: 400, message: "openai/gpt-none is not a valid model ID" }), "ModelNotFound"],
  [
    "DeepSeek",
    400,
    said({
      ...invalid,
      code: "invalid_request_error",
      message: "The supported API model names are deepseek-v4-pro or deepseek-v4-flash, but you passed deepseek-v9."
    }),
    "ModelNotFound"
  ],
  [
    "DeepSeek, older",
    400,
    said({ ...invalid, message: "Model Not Exist", code: "invalid_request_error" }),
    "ModelNotFound"
  ],
  [
    "Voyage",
    400,
    JSON.stringify({ detail: "Model nonexistent is not supported. Supported models are ['voyage-2']." }),
    "ModelNotFound"
  ],
  ["z.ai", 400, said({ code: "1211", message: "Unknown Model, please check the model code." }), "ModelNotFound"],
  [
    "Hugging Face",
    400,
    said({
      ...invalid,
      message: "The requested model 'a/b' is not supported by any provider you have enabled.",
      code: "model_not_supported"
    }),
    "ModelNotFound"
  ],
  [
    "Azure",
    404,
    said({ code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." }),
    "ModelNotFound"
  ],
  ["Venice", 404, JSON.stringify({ error: "Specified model not found: venice-none." }), "ModelNotFound"],
  [
    "z.ai",
    429,
    said({ code: "1113", message: "Insufficient balance or no resource package. Please recharge." }),
    "QuotaExhausted"
  ],
  ["z.ai in China", 429, said({ code: "1113", message: "余额不足或无可用资源包,请充值。" }), "QuotaExhausted"],
  [
    "DeepSeek",
    402,
    said({ message: "Insufficient Balance", type: "unknown_error", code: "invalid_request_error" }),
    "QuotaExhausted"
  ],
  [
    "xAI, a new team",
    403,
    JSON.stringify({
      code: "The caller does not have permission to execute the specified operation",
      error: "Your newly created team doesn't have any credits or licenses yet. You can purchase those on https://x."
    }),
    "QuotaExhausted"
  ],
  [
    "xAI",
    429,
    JSON.stringify({
      code: "Some resource has been exhausted",
      error: "Your team 1 has either used all available credits or reached its monthly spending limit."
    }),
    "QuotaExhausted"
  ],
  [
    "xAI, another reason",
    403,
    JSON.stringify({ code: "permission-denied", error: "Access to the chat endpoint is denied." }),
    "PermissionDenied"
  ],
  ["OpenRouter", 402, said({ message: "Insufficient credits. Add more using https://x", code: 402 }), "QuotaExhausted"],
  [
    "DashScope",
    400,
    said({
      code: "data_inspection_failed",
      param: null,
      message: "Input data may contain inappropriate content.",
      type: "data_inspection_failed"
    }),
    "ContentFiltered"
  ],
  [
    "DashScope, newer",
    400,
    said({
      ...invalid,
      message: "<400> InternalError.Algo.DataInspectionFailed: Input text data may contain inappropriate content."
    }),
    "ContentFiltered"
  ],
  [
    "Groq, a call that the model wrote wrongly",
    400,
    said({
      type: "invalid_request_error",
      code: "tool_use_failed",
      message: "Failed to call a function. Please adjust your prompt. See 'failed_generation' for more details.",
      failed_generation: "<function=f>"
    }),
    "ProviderFailed"
  ],
  [
    "Groq, such a call within a stream",
    200,
    said({ type: "invalid_request_error", code: "tool_use_failed", message: "Oops", status_code: 400 }),
    "ProviderFailed"
  ],
  ["Google", 400, google(400, "INVALID_ARGUMENT", "Request contains an invalid argument."), "RequestRejected"],
  [
    "Google, a wrong key",
    400,
    google(400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key."),
    "AuthenticationFailed"
  ],
  [
    "Google, another country",
    400,
    google(400, "FAILED_PRECONDITION", "User location is not supported for the API use."),
    "RegionBlocked"
  ],
  ["Google", 429, google(429, "RESOURCE_EXHAUSTED", "You exceeded your current quota."), "RateLimited"],
  ["Google, in a success", 200, google(503, "UNAVAILABLE", "The model is overloaded."), "Overloaded"],
  [
    "xAI, a wrong key",
    400,
    JSON.stringify({ code: "Client specified an invalid argument", error: "Incorrect API key provided: xa***." }),
    "AuthenticationFailed"
  ],
  [
    "OpenAI, a field that a model lacks",
    400,
    said({
      ...invalid,
      message: "Unsupported parameter: 'stop' is not supported with this model.",
      code: "unsupported_parameter"
    }),
    "RequestRejected"
  ],
  [
    "OpenAI, an image that is not there",
    400,
    said({ ...invalid, message: "Error while downloading https://x.example/a.jpg.", code: "invalid_image_url" }),
    "RequestRejected"
  ],
  [
    "llama.cpp, an image",
    500,
    said({ code: 500, message: "image input is not supported", type: "server_error" }),
    "ProviderFailed"
  ]
]

const anthropic = (type: string, message: string) => JSON.stringify({ type: "error", error: { type, message } })

const anthropicLike: ReadonlyArray<Case> = [
  ["z.ai", 429, anthropic("1113", "Insufficient balance or no resource package. Please recharge."), "QuotaExhausted"],
  ["z.ai in China", 429, anthropic("1113", "余额不足或无可用资源包,请充值。"), "QuotaExhausted"],
  ["z.ai, within a stream", 200, anthropic("1113", "Insufficient balance or no resource package."), "QuotaExhausted"],
  ["z.ai, an unknown model", 400, anthropic("1211", "Unknown Model, please check the model code."), "ModelNotFound"],
  [
    "llama.cpp",
    400,
    JSON.stringify({
      error: {
        code: 400,
        message: "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
        type: "exceed_context_size_error"
      }
    }),
    "ContextTooLong"
  ],
  [
    "DeepSeek",
    400,
    anthropic("invalid_request_error", "The supported API model names are deepseek-v4-pro, but you passed a."),
    "ModelNotFound"
  ],
  [
    "Anthropic",
    400,
    anthropic("invalid_request_error", "messages.0: Input does not match the shape."),
    "RequestRejected"
  ]
]

const classes: ReadonlyArray<readonly [Protocol.ChatProtocol, ReadonlyArray<Case>]> = [
  [OpenAiChat.protocol, openAi],
  [AnthropicMessages.protocol, anthropicLike]
]

describe.each(classes.map(([protocol, cases]) => [protocol.name, protocol, cases] as const))(
  "an error of %s",
  (_, protocol, cases) => {
    it.each(cases)("by %s with %i %s is %s", (_vendor, status, body, tag) => {
      const failure = protocol.classify(peer, { status, headers: {}, body })
      assert.strictEqual(failure._tag, tag)
      assert.isTrue("detail" in failure && !/^[{[]/.test(failure.detail ?? "{"))
    })

    // A server of ours may pass it on.
    it.each(cases)("by %s with %i %s keeps its class through our server", (_vendor, status, body, tag) => {
      const reply = protocol.encodeError(protocol.classify(peer, { status, headers: {}, body }))
      const again = protocol.classify(peer, { ...reply, body: JSON.stringify(reply.body) })
      assert.strictEqual(again._tag, tag)
    })
  }
)

describe("an error that is a list", () => {
  const body = google(429, "RESOURCE_EXHAUSTED", "Quota exceeded. Please retry in 17.3s.")

  it("states its message, its code and the wait", () => {
    const failure = OpenAiChat.protocol.classify(peer, { status: 429, headers: {}, body })
    assert.deepInclude(failure, {
      detail: "Quota exceeded. Please retry in 17.3s.",
      retryAfter: Duration.millis(17_300)
    })
    assert.deepStrictEqual(
      OpenAiChat.protocol.limits({ status: 429, headers: {}, body }).retryAfter,
      Duration.millis(17_300)
    )
  })

  it("states the wait in its details, if its message does not", () => {
    const detailed = google(429, "RESOURCE_EXHAUSTED", "Quota exceeded.", [
      { "@type": "type.googleapis.com/google.rpc.Help" },
      { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "46s" }
    ])
    const failure = OpenAiChat.protocol.classify(peer, { status: 429, headers: {}, body: detailed })
    assert.deepInclude(failure, { retryAfter: Duration.seconds(46) } as object)
  })

  it("is an error in a success, in a stream and in embeddings too", () => {
    const received = { status: 200, headers: {}, body }
    assert.deepInclude(OpenAiChat.protocol.decodeResponse(peer, received), {
      failure: OpenAiChat.protocol.classify(peer, received)
    })
    assert.deepInclude(OpenAiEmbeddings.protocol.decodeResponse(peer, received), {
      failure: OpenAiEmbeddings.protocol.classify(peer, received)
    })
    const decoder = OpenAiChat.protocol.makeDecoder(peer)
    decoder.push(new TextEncoder().encode(`data: ${body}\n\n`))
    assert.strictEqual(decoder.failure?._tag, "RateLimited")
  })
})

describe("the words of an error", () => {
  it("do not matter where its status is clear", () => {
    for (const message of ["Incorrect API key provided", "Model Not Exist", "exceeds the available context size"]) {
      const failure = OpenAiChat.protocol.classify(peer, { status: 429, headers: {}, body: said({ message }) })
      assert.strictEqual(failure._tag, "RateLimited")
    }
  })
})
