import type { CodecTransformer } from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import type * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"

/** Reads what the model wrote for a tool, as what the tool's own schema takes. */
export type ReadParameters = (name: string, params: unknown) => unknown

/** Reads parameters by one form of a schema. Returns undefined if they do not have that form. */
type Read = (params: unknown) => { readonly params: unknown } | undefined

const isStrict = (tool: Tool.Any): boolean => Tool.getStrictMode(tool) === true

const reader = (codec: Schema.ConstraintDecoder<unknown>): Read => {
  const decode = Schema.decodeUnknownExit(codec)
  return (params) => {
    const exit = decode(params)
    return exit._tag === "Success" ? { params: exit.value } : undefined
  }
}

/** In strict mode, optional fields are required and may be null, and some types have another form. */
const strictReader = (schema: Schema.ConstraintCodec<unknown, unknown>, transformer: CodecTransformer): Read => {
  try {
    return reader(transformer(schema).codec)
  } catch {
    // A schema without a strict form is not sent in it either.
    return () => undefined
  }
}

/** The readers decode to the encoded side of the tool's own schema, because Effect decodes that further. */
const readersOf = (tool: Tool.Any, transformer: CodecTransformer): ReadonlyArray<Read> => {
  if (Tool.isDynamic(tool) && tool.jsonSchema !== undefined) return []
  const schema = Schema.toEncoded(tool.parametersSchema) as Schema.ConstraintCodec<unknown, unknown>
  const strict = strictReader(schema, transformer)
  // Outside strict mode, too, models write null for fields that they could leave out.
  return isStrict(tool) ? [strict] : [reader(Schema.toCodecJson(schema)), strict]
}

/**
 * The parameters of tools at one provider, which may need their schemas in another form.
 *
 * Both directions are derived from a tool once: Effect's tools never change.
 */
export class ToolParameters {
  private readonly schemas = new WeakMap<Tool.Any, JsonSchema.JsonSchema>()
  private readonly readers = new WeakMap<Tool.Any, ReadonlyArray<Read>>()
  private readonly transformer: CodecTransformer

  constructor(transformer: CodecTransformer) {
    this.transformer = transformer
  }

  /** The JSON Schema that the provider gets. Throws if the parameters have none. */
  jsonSchema(tool: Tool.Any): JsonSchema.JsonSchema {
    let schema = this.schemas.get(tool)
    if (schema === undefined) {
      schema = Tool.getJsonSchema(tool, isStrict(tool) ? { transformer: this.transformer } : {})
      this.schemas.set(tool, schema)
    }
    return schema
  }

  /** Undoes what `jsonSchema` did to a tool's schema. Parameters of another form stay as they are: Effect rejects them. */
  reader(tools: ReadonlyArray<Tool.Any>): ReadParameters {
    return (name, params) => {
      const tool = tools.find((tool) => tool.name === name)
      if (tool === undefined) return params
      for (const read of this.readersOf(tool)) {
        const found = read(params)
        if (found !== undefined) return found.params
      }
      return params
    }
  }

  private readersOf(tool: Tool.Any): ReadonlyArray<Read> {
    let readers = this.readers.get(tool)
    if (readers === undefined) {
      readers = readersOf(tool, this.transformer)
      this.readers.set(tool, readers)
    }
    return readers
  }
}
