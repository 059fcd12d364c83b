/**
 * The lines of a stack that belong to the user: not Node's, not those of libraries, and not ours.
 *
 * Our packages are beside each other, in `node_modules` and in their repository. Their tests count as user code.
 */
const packages = decodeURIComponent(new URL("../../../../", import.meta.url).pathname)

const isOfOurs = (path: string): boolean => {
  const at = path.indexOf(packages)
  return at >= 0 && /^[^\\/]+[\\/](?:src|dist)[\\/]/.test(path.slice(at + packages.length))
}

/** Whether this path, or this line of a stack, is user code. */
export const isOwn = (path: string): boolean =>
  !/\bnode:|[\\/]node_modules[\\/]|\bwasm:|<anonymous>\)?$/.test(path) && !isOfOurs(path)

/** The most lines that are shown. */
const most = 6

/** The user's lines of a stack, innermost first. */
export const callers = (stack: string, header = 1): ReadonlyArray<string> =>
  stack.split("\n").slice(header).map((line) => line.trim())
    .filter((line) => line.startsWith("at ") && isOwn(line))
    .slice(0, most)
