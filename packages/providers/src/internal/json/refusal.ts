import * as Result from "effect/Result"

/**
 * Runs a pure function that throws one kind of error wherever it finds it, which may be deep inside a value, and makes that
 * error its result. Whatever else is thrown is a mistake of ours and stays thrown.
 */
export const orRefusal = <A, E extends Error>(
  kind: abstract new(...args: Array<never>) => E,
  f: () => A
): Result.Result<A, E> => {
  try {
    return Result.succeed(f())
  } catch (error) {
    if (error instanceof kind) return Result.fail(error)
    throw error
  }
}
