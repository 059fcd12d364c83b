/**
 * The lines of a stack that are its reader's own: neither Node's, nor the libraries', nor ours.
 *
 * Our packages lie beside each other, in `node_modules` as in their repository; their tests are not theirs.
 */
const packages = decodeURIComponent(new URL("../../../../", import.meta.url).pathname)

const isOfOurs = (path: string): boolean => {
  const at = path.indexOf(packages)
  return at >= 0 && /^[^\\/]+[\\/](?:src|dist)[\\/]/.test(path.slice(at + packages.length))
}

/** Whether code at this path, or this line of a stack, is the reader's own. */
export const isOwn = (path: string): boolean =>
  !/\bnode:|[\\/]node_modules[\\/]|\bwasm:|<anonymous>\)?$/.test(path) && !isOfOurs(path)

/** So many lines say enough. */
const most = 6

/** The reader's own lines of a stack, innermost first. */
export const callers = (stack: string, header = 1): ReadonlyArray<string> =>
  stack.split("\n").slice(header).map((line) => line.trim())
    .filter((line) => line.startsWith("at ") && isOwn(line))
    .slice(0, most)
