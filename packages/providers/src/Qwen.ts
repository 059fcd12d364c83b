/**
 * Qwen: Alibaba Cloud's Model Studio, and embeddings.
 *
 * This is the base URL of Singapore. A key belongs to its region: for Beijing, use
 * `https://dashscope.aliyuncs.com/compatible-mode/v1`. Workspaces have addresses of their own. The schema of an answer goes into
 * the system message, since older models know only `json_object`. Headers with limits are not documented.
 *
 * A model that thinks rejects a tool choice that forces a call. A request that asks for both fails with `Unsupported`. Where a
 * model thinks by default, set the extra `enable_thinking: false`, else the call fails with `RequestRejected`.
 *
 * `anthropic` has the same models in Anthropic's protocol: `Qwen.anthropic.layer({ model })`.
 *
 * @stable
 */

import * as AnthropicMessages from "./AnthropicMessages.ts"
import * as Auth from "./Auth.ts"
import * as OpenAiChat from "./OpenAiChat.ts"
import * as OpenAiEmbeddings from "./OpenAiEmbeddings.ts"
import * as Provider from "./Provider.ts"

/** The row. Its key is the configuration's `DASHSCOPE_API_KEY`, its base URL `QWEN_BASE_URL`. */
export const { provider, target, layer, layerConfig, model, embeddingTarget, embeddingLayer, embeddingLayerConfig } =
  Provider.make({
    name: "qwen",
    baseUrl: "https://dashscope-intl.aliyuncs.com/compatible-mode/v1",
    chat: OpenAiChat.make({
      maxTokensField: "max_tokens",
      reasoningField: "reasoning_content",
      formats: "json_object",
      unsupported: ["forced tools while thinking"],
      limitHeaders: {}
    }),
    embeddings: OpenAiEmbeddings.make({ encoding: "float", limitHeaders: {} }),
    config: { apiKey: "DASHSCOPE_API_KEY" },
    limits: { embeddings: { inputs: 10, tokens: 81_920 } },
    sources: {
      baseUrl: "https://www.alibabacloud.com/help/en/model-studio/compatibility-of-openai-with-dashscope",
      embeddings: "https://www.alibabacloud.com/help/en/model-studio/embedding-interfaces-compatible-with-openai",
      errors: "https://help.aliyun.com/en/model-studio/error-code-start",
      formats: "https://www.alibabacloud.com/help/en/model-studio/json-mode",
      limits: "https://www.alibabacloud.com/help/en/model-studio/embedding-interfaces-compatible-with-openai",
      reasoningField: "recorded in https://github.com/pydantic/pydantic-ai (2026)",
      unsupported: "https://github.com/cloudwego/eino/issues/994"
    }
  })

export type Options<E = never, R = never> = Provider.OptionsOf<typeof provider, E, R>
export type EmbeddingOptions<E = never, R = never> = Provider.EmbeddingOptionsOf<typeof provider, E, R>

/** The same models in Anthropic's protocol. Its base URL is the configuration's `QWEN_ANTHROPIC_BASE_URL`. */
export const anthropic = Provider.make({
  name: "qwen",
  baseUrl: "https://dashscope-intl.aliyuncs.com/apps/anthropic",
  chat: AnthropicMessages.protocol,
  auth: Auth.header("x-api-key"),
  config: { apiKey: "DASHSCOPE_API_KEY", baseUrl: "QWEN_ANTHROPIC_BASE_URL" },
  sources: { baseUrl: "https://www.alibabacloud.com/help/en/model-studio/anthropic-api-messages" }
})
