import * as AiError from "effect/ai/AiError"
import * as Result from "effect/Result"
import * as From from "../json/json.ts"

/** The parameters of a tool call, out of the JSON text that the model wrote. */
export const parseArguments = (name: string, text: string): Result.Result<unknown, AiError.InvalidOutputError> => {
  // Groq writes `null` for a tool without parameters.
  const params = text === "" || text === "null" ? {} : From.parse(text)
  return params === undefined
    ? Result.fail(
      new AiError.InvalidOutputError({
        description: `The model called the tool ${name} with arguments that are not JSON: ${JSON.stringify(text)}`
      })
    )
    : Result.succeed(params)
}
