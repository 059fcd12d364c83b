/** Errors of large clouds, of gateways, and of the vendors of most of their models. */
import { type Cases, invalid, openllmetry, pydantic, rig, rubyLlm, said } from "./cases.ts"

export const clouds: Cases = {
  "azure-openai": [
    [
      "401",
      401,
      said({ code: "401", message: "Access denied due to invalid subscription key or wrong API endpoint." }),
      "AuthenticationFailed",
      openllmetry
    ],
    [
      "DeploymentNotFound",
      404,
      said({ ...invalid, code: "DeploymentNotFound", message: "The API deployment for this resource does not exist." }),
      "ModelNotFound",
      openllmetry
    ],
    [
      "RateLimitReached",
      429,
      said({ code: "RateLimitReached", message: "Your requests to grok-4 in westeurope have exceeded rate limit." }),
      "RateLimited",
      rubyLlm
    ],
    [
      "content_filter",
      400,
      said({
        message: "The response was filtered due to the prompt triggering Azure OpenAI's content management policy.",
        type: null,
        param: "prompt",
        code: "content_filter",
        status: 400,
        innererror: { code: "ResponsibleAIPolicyViolation" }
      }),
      "ContentFiltered",
      "https://github.com/compl-ai/compl-ai/issues/20"
    ]
  ],
  "mistral": [
    [
      "invalid_model",
      400,
      { object: "error", message: "Invalid model: none", type: "invalid_model", param: null, code: "1500" },
      "ModelNotFound",
      rig
    ],
    [
      "invalid_request_invalid_args",
      400,
      {
        object: "error",
        message: "Logprobs are not enabled for this model",
        type: "invalid_request_invalid_args",
        param: null,
        code: "3051"
      },
      "RequestRejected",
      rig
    ]
  ],
  "groq": [
    [
      "invalid_api_key",
      401,
      said({ ...invalid, code: "invalid_api_key", message: "Invalid API Key" }),
      "AuthenticationFailed",
      rig
    ],
    [
      "model_not_found",
      404,
      said({
        ...invalid,
        code: "model_not_found",
        message: "The model `llama-4` does not exist or you do not have access to it."
      }),
      "ModelNotFound",
      pydantic
    ],
    [
      "rate_limit_exceeded",
      429,
      said({
        message: "Rate limit reached for model `llama3-70b-8192` on tokens per minute (TPM): Limit 6000, Used 5914, " +
          "Requested 1822. Please try again in 17.359s.",
        type: "tokens",
        code: "rate_limit_exceeded"
      }),
      "RateLimited",
      "https://github.com/mindcraft-bots/mindcraft/pull/188"
    ]
  ],
  "together": [
    [
      "invalid_api_key",
      401,
      said({ ...invalid, message: "Invalid API key provided.", code: "invalid_api_key" }),
      "AuthenticationFailed",
      "https://github.com/harshitv804/LawGPT/issues/4"
    ]
  ],
  "fireworks": [
    [
      "NOT_FOUND",
      404,
      said({
        message: "Model not found, inaccessible, and/or not deployed",
        param: "model",
        code: "NOT_FOUND",
        type: "error"
      }),
      "ModelNotFound",
      "https://github.com/warpdotdev/warp/issues/15107"
    ]
  ],
  "deepseek": [
    [
      "authentication_error",
      401,
      said({
        code: "invalid_request_error",
        message: "Authentication Fails",
        param: null,
        type: "authentication_error"
      }),
      "AuthenticationFailed",
      rig
    ],
    [
      "insufficient_balance",
      402,
      said({ message: "Insufficient Balance", type: "unknown_error", param: null, code: "invalid_request_error" }),
      "QuotaExhausted",
      "https://github.com/Aider-AI/aider/issues/4851"
    ],
    [
      "model_names",
      400,
      said({
        ...invalid,
        code: "invalid_request_error",
        message: "The supported API model names are deepseek-v4-pro or deepseek-v4-flash, but you passed deepseek-v9."
      }),
      "ModelNotFound",
      rig
    ],
    [
      "context_length",
      400,
      said({
        ...invalid,
        code: "invalid_request_error",
        message: "This model's maximum context length is 1048565 tokens. However, you requested 1250025 tokens."
      }),
      "ContextTooLong",
      rubyLlm
    ],
    [
      "tool_choice",
      400,
      said({ ...invalid, code: "invalid_request_error", message: "Thinking mode does not support this tool_choice" }),
      "RequestRejected",
      rig
    ]
  ],
  "xai": [
    [
      "permission-denied",
      403,
      { code: "permission-denied", error: "Access to the chat endpoint is denied." },
      "PermissionDenied",
      "https://github.com/decolua/9router/issues/2559"
    ]
  ],
  "openrouter": [
    ["model", 400, said({ code: 400, message: "openai/gpt-none is not a valid model ID" }), "ModelNotFound", rig],
    ["401", 401, said({ code: 401, message: "No cookie auth credentials found" }), "AuthenticationFailed", rubyLlm],
    [
      "402",
      402,
      said({ code: 402, message: "Insufficient credits. Add more using https://openrouter.ai/settings/credits" }),
      "QuotaExhausted",
      "https://github.com/open-assistant-org/open-assistant/issues/80"
    ],
    [
      "429",
      429,
      said({ code: 429, message: "Provider returned error", metadata: { provider_name: "Google" } }),
      "RateLimited",
      pydantic
    ]
  ],
  "nvidia-nim": [
    [
      "403",
      403,
      { status: 403, title: "Forbidden", detail: "Authorization failed" },
      "PermissionDenied",
      "https://github.com/dmMaze/BallonsTranslator/issues/1233"
    ],
    [
      "404",
      404,
      { status: 404, title: "Not Found", detail: "Function '23d4f03a': Not found for account 'a'" },
      "ModelNotFound",
      "https://github.com/Alishahryar1/free-claude-code/issues/1021"
    ],
    [
      "429",
      429,
      { status: 429, title: "Too Many Requests" },
      "RateLimited",
      "https://github.com/Alishahryar1/free-claude-code/issues/1482"
    ]
  ]
}
