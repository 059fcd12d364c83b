/** A source file of ours with one mistake put in as it is loaded. Nothing on disk is changed. */
import { registerHooks } from "node:module"
import { resolve } from "node:path"
import { pathToFileURL } from "node:url"

export interface Mutant {
  /** The scenario that must notice: a module of `test/simulations`. */
  readonly module: string
  /** Where the mistake goes, from the root of the repository. */
  readonly file: string
  /** What is replaced. It must occur exactly once. */
  readonly find: string
  readonly replace: string
  /** The rule that the mistake breaks. */
  readonly rule: string
}

export interface Applied {
  /** Whether the file has been loaded, mistake and all. */
  isLoaded: boolean
}

/** From now on, whoever loads the file gets the mutant. */
export const apply = ({ file, find, replace }: Mutant): Applied => {
  const applied: Applied = { isLoaded: false }
  const target = pathToFileURL(resolve(file)).href
  registerHooks({
    load: (url, context, nextLoad) => {
      const loaded = nextLoad(url, context)
      if (url !== target) return loaded
      const [before, after, ...more] = String(loaded.source).split(find)
      if (before === undefined || after === undefined || more.length > 0) {
        throw new Error(`${JSON.stringify(find)} must occur in ${file} exactly once`)
      }
      applied.isLoaded = true
      return { ...loaded, source: before + replace + after }
    }
  })
  return applied
}
