/**
 * Loads modules with and without a mistake in their imports, in one process.
 *
 * For each mutant, the modules that lead to its file are loaded again, under their own URL. All others are shared.
 */
import { registerHooks } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"
import { type Mutant, mutate } from "./mutant.ts"

/** A module that was loaded, by its URL, and the modules that import it. */
const importers = new Map<string, Set<string>>()

interface World {
  readonly mutant: Mutant
  readonly target: string
  /** What has to be loaded again. */
  readonly affected: ReadonlySet<string>
}

const worlds: Array<World> = []

const mark = "?mutant="

const split = (url: string): { readonly plain: string; readonly world: World | undefined; readonly suffix: string } => {
  const at = url.indexOf(mark)
  if (at < 0) return { plain: url, world: undefined, suffix: "" }
  return { plain: url.slice(0, at), world: worlds[Number(url.slice(at + mark.length))], suffix: url.slice(at) }
}

registerHooks({
  resolve: (specifier, context, nextResolve) => {
    const resolved = nextResolve(specifier, context)
    if (context.parentURL === undefined) return resolved
    const { plain, suffix, world } = split(context.parentURL)
    const known = importers.get(resolved.url)
    if (known === undefined) importers.set(resolved.url, new Set([plain]))
    else known.add(plain)
    return world?.affected.has(resolved.url) === true ? { ...resolved, url: resolved.url + suffix } : resolved
  },
  load: (url, context, nextLoad) => {
    const loaded = nextLoad(url, context)
    const { plain, world } = split(url)
    if (world?.target !== plain) return loaded
    return { ...loaded, source: mutate(world.mutant, String(loaded.source)) }
  }
})

/**
 * What a module exports by default, with the mistake in what it imports. The module must have been loaded without it
 * before. Undefined where nothing leads from the module to the mistake.
 */
export const importWith = async (module: string, mutant: Mutant): Promise<any> => {
  const target = pathToFileURL(resolve(mutant.file)).href
  const affected = new Set([target])
  for (const url of affected) for (const importer of importers.get(url) ?? []) affected.add(importer)
  const url = pathToFileURL(module).href
  if (!affected.has(url)) return undefined
  const number = worlds.push({ mutant, target, affected }) - 1
  const { default: exported } = await import(`${url}${mark}${number}`)
  return exported
}
