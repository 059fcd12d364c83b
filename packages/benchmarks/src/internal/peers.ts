/**
 * The libraries that we are compared with. They are installed in this folder when first needed, or when its lock has
 * changed; `effect`, `undici` and our own packages come from the checkout around it.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import { npm } from "./npm.ts"

const folder = join(import.meta.dirname, "../..")

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>
}

const read = (file: string): Lock["packages"] => {
  try {
    const lock: Lock = JSON.parse(readFileSync(join(folder, file), "utf8"))
    return lock.packages
  } catch {
    return {}
  }
}

const isInstalled = () => {
  const installed = read("node_modules/.package-lock.json")
  return Object.entries(read("package-lock.json")).every(([path, { optional, version }]) =>
    path === "" || optional === true || installed[path]?.version === version
  )
}

/** Installs the locked versions, unless they are there. */
export const install = () => {
  if (isInstalled()) return
  npm(folder, "ci", "--no-audit", "--no-fund")
}

/** Loads modules as a program in that folder would. */
export const loaderOf = (folder: string) => {
  const require = createRequire(join(folder, "package.json"))
  return async <A>(name: string): Promise<A> => await import(pathToFileURL(require.resolve(name)).href)
}

/** Loads a peer. It has no types before it is installed, so the caller declares those that it needs. */
export const load = loaderOf(folder)
