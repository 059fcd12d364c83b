import type { CodecTransformer } from "effect/ai/LanguageModel"
import * as Tool from "effect/ai/Tool"
import type * as JsonSchema from "effect/JsonSchema"
import * as Schema from "effect/Schema"

/** Reads what a model wrote by one form of a schema; undefined where it is not of that form. */
type Read = (params: unknown) => { readonly params: unknown } | undefined

const isStrict = (tool: Tool.Any): boolean => Tool.getStrictMode(tool) === true

/** The JSON Schema by which the provider knows a tool's parameters. Throws where there is none. */
export const jsonSchemaOf = (tool: Tool.Any, transformer: CodecTransformer): JsonSchema.JsonSchema =>
  Tool.getJsonSchema(tool, isStrict(tool) ? { transformer } : {})

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
    // A schema that has no such form is not sent in it either.
    return () => undefined
  }
}

/** What it is decoded to is what the tool's own schema encodes to, since Effect decodes that further. */
const readersOf = (tool: Tool.Any, transformer: CodecTransformer): ReadonlyArray<Read> => {
  if (Tool.isDynamic(tool) && tool.jsonSchema !== undefined) return []
  const schema = Schema.toEncoded(tool.parametersSchema) as Schema.ConstraintCodec<unknown, unknown>
  const strict = strictReader(schema, transformer)
  // Unasked, too, models write null for what they could leave out.
  return isStrict(tool) ? [strict] : [reader(Schema.toCodecJson(schema)), strict]
}

/**
 * Undoes to a tool's parameters what sending its schema did to that: what the model wrote for the schema that it was
 * shown becomes what the tool's own schema takes. What fits neither stays as it is, for Effect to refuse.
 */
export const makeParametersReader = (
  tools: ReadonlyArray<Tool.Any>,
  transformer: CodecTransformer
): (name: string, params: unknown) => unknown => {
  const readers = new Map<string, ReadonlyArray<Read>>()
  return (name, params) => {
    const tool = tools.find((tool) => tool.name === name)
    if (tool === undefined) return params
    const known = readers.get(name) ?? readersOf(tool, transformer)
    readers.set(name, known)
    for (const read of known) {
      const found = read(params)
      if (found !== undefined) return found.params
    }
    return params
  }
}
