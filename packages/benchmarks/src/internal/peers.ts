/**
 * The libraries that we are compared with. They are installed in this folder when first needed, or when its lock has
 * changed; `effect`, `undici` and our own packages come from the checkout around it.
 */
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { installIn } from "../../../../scripts/npm.ts"

const folder = join(import.meta.dirname, "../..")

/** Installs the locked versions, unless they are there. */
export const install = () => installIn(folder)

/** Loads modules as a program in that folder would. */
export const loaderOf = (folder: string) => {
  const require = createRequire(join(folder, "package.json"))
  return async <A>(name: string): Promise<A> => await import(pathToFileURL(require.resolve(name)).href)
}

/** Loads a peer. It has no types before it is installed, so the caller declares those that it needs. */
export const load = loaderOf(folder)
