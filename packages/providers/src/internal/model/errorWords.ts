import type { Class } from "./classified.ts"

interface Rule {
  readonly tag: Class
  /** The classes by code or status that are too coarse. Another class is certain, whatever the message says. */
  readonly insteadOf: ReadonlyArray<Class>
  readonly words: ReadonlyArray<RegExp>
}

/**
 * What only the message of an error states. Each expression reads the text once.
 *
 * The vendors that need it: llama.cpp, Ollama, LM Studio, Google, vLLM, Moonshot, Alibaba, Cohere (context); OpenRouter,
 * DeepSeek, Voyage, Mistral, z.ai (model); z.ai, xAI, DeepSeek (money); Google, xAI (key); Google (region); Alibaba, Venice
 * (filter); Venice, DeepInfra (load). Source: recorded traffic, 2026, and `VendorErrors` of `@clawback/testing`.
 */
const rules: ReadonlyArray<Rule> = [
  {
    tag: "QuotaExhausted",
    insteadOf: ["RequestRejected", "PermissionDenied", "RateLimited", "ProviderFailed"],
    words: [
      /\binsufficient (?:account )?(?:balance|credits?|funds)\b/i,
      /余额不足/,
      /\b(?:doesn't|does not|don't) have any credits\b/i,
      /\b(?:used all|run out of) (?:available |your )?credits\b/i,
      /\bcredit balance is too low\b/i
    ]
  },
  {
    tag: "ContextTooLong",
    insteadOf: ["RequestRejected", "ProviderFailed"],
    words: [
      /\bmaximum context length\b|\bcontext (?:length|window) (?:exceed|of)/i,
      /\bprompt (?:is )?too long\b/i,
      /\bexceed(?:s|ed)? (?:the |max )?(?:model's |available |maximum )*context\b/i,
      /\bgreater than the context length\b/i,
      /\bexceeds the maximum number of tokens allowed\b/i,
      /\bexceeded model token limit\b/i,
      /\brange of input length should be\b/i,
      /^too many tokens: total number of tokens\b/i,
      // llama.cpp splits a prompt, but not the text of an embedding: that must fit into one batch.
      /^input (?:\(\d+ tokens\) )?is (?:too large to process\b|larger than the max context size\b)/i
    ]
  },
  {
    tag: "ModelNotFound",
    insteadOf: ["RequestRejected"],
    words: [
      /^(?:invalid|unknown) model\b/i,
      /\bnot a valid model id\b/i,
      /\bsupported (?:api )?(?:model names|models) are\b/i,
      /\bmodel (?:does )?not (?:exist|found)\b/i
    ]
  },
  {
    tag: "AuthenticationFailed",
    insteadOf: ["RequestRejected"],
    words: [/^incorrect api key\b/i, /^api key not valid\b/i]
  },
  {
    tag: "RegionBlocked",
    insteadOf: ["RequestRejected", "PermissionDenied"],
    words: [/\buser location is not supported\b/i]
  },
  {
    tag: "ContentFiltered",
    insteadOf: ["RequestRejected"],
    words: [
      /\bblocked by content filtering policy\b/i,
      /\bDataInspectionFailed\b/,
      /\bviolates the content policy\b/i
    ]
  },
  {
    tag: "Overloaded",
    insteadOf: ["RateLimited"],
    words: [/\bmodel is (?:currently )?overloaded\b/i, /^model busy\b/i]
  }
]

/** The class that the message of an error states, if code and status leave it open. */
export const byWords = (tag: Class, message: string): Class =>
  rules.find(({ insteadOf, words }) => insteadOf.includes(tag) && words.some((word) => word.test(message)))?.tag ?? tag
