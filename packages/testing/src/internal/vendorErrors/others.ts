/** Errors of the other vendors, and of servers of one's own. */
import { type Cases, invalid, rig, rubyLlm, said } from "./cases.ts"

const venice = "https://docs.venice.ai/api-reference/error-codes"

export const others: Cases = {
  "cerebras": [
    [
      "tokens",
      429,
      { message: "Tokens per minute limit exceeded - too many tokens processed." },
      "RateLimited",
      "https://github.com/continuedev/continue/issues/9800"
    ]
  ],
  "deepinfra": [
    [
      "busy",
      429,
      said({ message: "Model busy, retry later" }),
      "Overloaded",
      "https://github.com/truefoundry/models/pull/862"
    ]
  ],
  "huggingface": [
    [
      "credits",
      402,
      { error: "You have exceeded your monthly included credits for Inference Providers." },
      "QuotaExhausted",
      "https://github.com/huggingface/agents-course/issues/386"
    ]
  ],
  "moonshot": [
    [
      "engine_overloaded_error",
      429,
      said({ message: "The engine is currently overloaded, please try again later", type: "engine_overloaded_error" }),
      "Overloaded",
      "https://github.com/MoonshotAI/kimi-cli/issues/2571"
    ],
    [
      "token_limit",
      400,
      said({
        message: "Invalid request: Your request exceeded model token limit: 262144 (requested: 269030)",
        type: "invalid_request_error"
      }),
      "ContextTooLong",
      "https://github.com/MoonshotAI/kimi-cli/issues/2011"
    ]
  ],
  "qwen": [
    [
      "Arrearage",
      400,
      said({
        message: "Access denied, please make sure your account is in good standing.",
        type: "Arrearage",
        param: null,
        code: "Arrearage"
      }),
      "QuotaExhausted",
      "https://help.aliyun.com/en/model-studio/error-code"
    ],
    [
      "input_length",
      400,
      said({
        message: "Range of input length should be [1, 30720]",
        type: "invalid_request_error",
        param: null,
        code: "InvalidParameter"
      }),
      "ContextTooLong",
      "https://help.aliyun.com/en/model-studio/coding-plan-faq"
    ]
  ],
  "zai": [
    [
      "1113",
      429,
      said({ code: "1113", message: "Insufficient balance or no resource package. Please recharge." }),
      "QuotaExhausted",
      "https://github.com/vercel/ai/issues/9290"
    ]
  ],
  "cohere": [
    [
      "too_many_tokens",
      400,
      {
        message:
          "too many tokens: total number of tokens (prompt and prediction) cannot exceed 2048 - received 6354. " +
          "Try using a shorter prompt or a smaller max_tokens value."
      },
      "ContextTooLong",
      "https://github.com/cohere-ai/sandbox-topically/issues/4"
    ]
  ],
  "google": [
    [
      "INVALID_ARGUMENT",
      400,
      [said({ code: 400, message: "Request contains an invalid argument.", status: "INVALID_ARGUMENT" })],
      "RequestRejected",
      "https://github.com/google-gemini/gemini-cli/issues/12823"
    ],
    [
      "input_tokens",
      400,
      [said({
        code: 400,
        message: "The input token count (1200293) exceeds the maximum number of tokens allowed (1048576).",
        status: "INVALID_ARGUMENT"
      })],
      "ContextTooLong",
      "https://github.com/google-gemini/gemini-cli/issues/6678"
    ],
    [
      "RESOURCE_EXHAUSTED",
      429,
      [said({ code: 429, message: "Resource exhausted. Please try again later.", status: "RESOURCE_EXHAUSTED" })],
      "RateLimited",
      "https://github.com/google-gemini/gemini-cli/issues/14831"
    ]
  ],
  "venice": [
    ["model", 404, { error: "Specified model not found: venice-none." }, "ModelNotFound", rig],
    ["AUTHENTICATION_FAILED", 401, { error: "Authentication failed" }, "AuthenticationFailed", venice],
    [
      "INSUFFICIENT_BALANCE",
      402,
      { error: "Insufficient USD or Diem balance to complete request." },
      "QuotaExhausted",
      venice
    ],
    [
      "MODEL_OVERLOADED",
      429,
      { error: "The model is currently overloaded. Please try again later." },
      "Overloaded",
      venice
    ],
    ["RATE_LIMIT_EXCEEDED", 429, { error: "Rate limit exceeded" }, "RateLimited", venice],
    [
      "CONTENT_POLICY_VIOLATION",
      422,
      { error: "Your prompt violates the content policy of Venice.ai or the model provider" },
      "ContentFiltered",
      venice
    ],
    ["MODEL_AT_CAPACITY", 503, { error: "The model is at capacity. Please try again later." }, "Overloaded", venice]
  ],
  "vercel-ai-gateway": [
    [
      "upstream",
      429,
      said({ message: "Insufficient balance or no resource package. Please recharge.", type: "AI_APICallError" }),
      "QuotaExhausted",
      "https://github.com/vercel/ai/issues/9290"
    ]
  ],
  "perplexity": [
    [
      "too_many_prompt_tokens",
      400,
      said({ message: "Prompt contains 150000 tokens, too many", type: "too_many_prompt_tokens", code: 400 }),
      "ContextTooLong",
      "recorded by a test suite of a client (2025)"
    ]
  ],
  "ollama": [
    [
      "401",
      401,
      said({ message: "Unauthorized", type: "api_error", param: null, code: null }),
      "AuthenticationFailed",
      rubyLlm
    ],
    [
      "context",
      400,
      said({ ...invalid, message: "prompt too long; exceeded max context length by 6 tokens", code: null }),
      "ContextTooLong",
      "https://github.com/ollama/ollama/blob/main/server/routes.go"
    ]
  ],
  "vllm": [
    [
      "BadRequestError",
      400,
      {
        object: "error",
        message: "This model's maximum context length is 4096 tokens.",
        type: "BadRequestError",
        param: null,
        code: 400
      },
      "ContextTooLong",
      "https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/serving_engine.py"
    ],
    [
      "NotFoundError",
      404,
      { object: "error", message: "The model `none` does not exist.", type: "NotFoundError", param: null, code: 404 },
      "ModelNotFound",
      "https://github.com/vllm-project/vllm/blob/main/vllm/entrypoints/openai/serving_engine.py"
    ]
  ],
  "llama-cpp": [
    [
      "exceed_context_size_error",
      400,
      said({
        code: 400,
        message: "request (2009 tokens) exceeds the available context size (512 tokens), try increasing it",
        n_ctx: 512,
        n_prompt_tokens: 2009,
        type: "exceed_context_size_error"
      }),
      "ContextTooLong",
      rig
    ],
    [
      "authentication_error",
      401,
      said({ code: 401, message: "Invalid API Key", type: "authentication_error" }),
      "AuthenticationFailed",
      rig
    ],
    [
      "image",
      400,
      said({ code: 400, message: "Failed to load image or audio file", type: "invalid_request_error" }),
      "RequestRejected",
      rig
    ]
  ],
  "lm-studio": [
    [
      "context",
      400,
      {
        error: "The number of tokens to keep from the initial prompt is greater than the context length " +
          "(n_keep: 13055>= n_ctx: 4096). Try to load the model with a larger context length, or provide a shorter input."
      },
      "ContextTooLong",
      "https://github.com/Gitlawb/openclaude/issues/353"
    ]
  ]
}
