import * as Result from "effect/Result"

/**
 * Runs a pure function that may throw one kind of error, and returns that error as a failure. So code deep inside a value can
 * fail without passing results outward. Any other error is a defect, and is thrown on.
 */
export const catching = <A, E extends Error>(
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
