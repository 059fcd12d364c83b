/** What source files import, as it stands in their text: types and `export … from` included. */
import { existsSync, readFileSync } from "node:fs"
import { dirname, join, normalize } from "node:path"

/** A comment may hold anything, also in the middle of an import. */
const comment = /\/\*.*?\*\/|\/\/[^\n]*/gs
const statement = /^ *(?:import|export)\s(?:[^"'()=;]*\sfrom\s*)?"([^"]+)"|\bimport\(\s*"([^"]+)"/gm

/** The specifiers of a file, in order. */
export const specifiers = (file: string): ReadonlyArray<string> =>
  [...readFileSync(file, "utf8").replace(comment, "").matchAll(statement)].flatMap(([, one, other]) =>
    one ?? other ?? []
  )

/** The files that a file imports by relative paths. */
export const neighbours = (file: string): ReadonlyArray<string> =>
  specifiers(file)
    .filter((specifier) => specifier.startsWith("."))
    .map((specifier) => normalize(join(dirname(file), specifier)))
    .filter((path) => existsSync(path))

/** The groups of files that import each other, directly or through others (Tarjan's strongly connected components). */
export const circles = (files: ReadonlyArray<string>): ReadonlyArray<ReadonlyArray<string>> => {
  const graph = new Map(files.map((file) => [file, neighbours(file)]))
  const index = new Map<string, number>()
  const stack: Array<string> = []
  const found: Array<ReadonlyArray<string>> = []
  const visit = (file: string): number => {
    const at = index.size
    index.set(file, at)
    stack.push(file)
    let low = at
    for (const next of graph.get(file) ?? []) {
      if (!index.has(next)) low = Math.min(low, visit(next))
      else if (stack.includes(next)) low = Math.min(low, index.get(next) ?? at)
    }
    if (low === at) {
      const circle = stack.splice(stack.indexOf(file))
      if (circle.length > 1 || graph.get(file)?.includes(file) === true) found.push(circle.toSorted())
    }
    return low
  }
  for (const file of files) if (!index.has(file)) visit(file)
  return found
}
