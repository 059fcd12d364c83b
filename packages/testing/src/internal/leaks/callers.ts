/** The lines of a stack that are its reader's own: neither Node's, nor the libraries', nor ours. */
export const callers = (stack: string, header = 1): ReadonlyArray<string> =>
  stack.split("\n").slice(header).map((line) => line.trim())
    .filter((line) =>
      line.startsWith("at ") && !/\bnode:|[\\/]node_modules[\\/]|[\\/]internal[\\/]leaks[\\/]/.test(line)
    )
    .slice(0, 6)
