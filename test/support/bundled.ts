/**
 * Bundles programs of the tests, each with all that it imports, as an app may be. Node finds, reads and links one file instead
 * of 700, so that a process starts in a fifth of the time.
 */
import { basename, join } from "node:path"
import { pathToFileURL } from "node:url"
import { rolldown } from "rolldown"

/** Where the bundles are: inside the repository, so that what is not bundled resolves; git and the linters ignore `dist`. */
const folder = "dist/programs"

/** What nearly all of them import. Of other packages, few programs use a part. */
const isBundled = /^(?:effect|undici|@effect|@clawback)(?:\/|$)/

/** A bundle cannot export again all that a CommonJS module exports. */
const exportsAgain = /\/platform-node\/dist\/Undici\.js$/

const bundle = (input: string | Record<string, string>) =>
  rolldown({
    input,
    platform: "node",
    external: (id, importer) => /^[\w@]/.test(id) && (!isBundled.test(id) || exportsAgain.test(importer ?? "")),
    resolve: { conditionNames: ["@clawback/source", "import", "node", "default"] },
    plugins: [{
      name: "its own process",
      // What is started in a process of its own is the module, not the bundle.
      transform: {
        filter: { id: /\/testing\/src\/internal\/faulty\/process\.ts$/ },
        handler: (code, id) => code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href))
      }
    }]
  })

/** Bundles a program into one file. Returns its path. */
export const program = async (path: string): Promise<string> => {
  const file = join(folder, `${basename(path, ".ts")}.mjs`)
  const build = await bundle(path)
  await build.write({ file, codeSplitting: false, comments: false })
  await build.close()
  return file
}

/** Bundles programs, by name, into a folder. They share what several of them import. */
export const programs = async (paths: Record<string, string>, folder: string): Promise<void> => {
  const build = await bundle(paths)
  await build.write({
    dir: folder,
    entryFileNames: "[name].mjs",
    chunkFileNames: "shared/[name]-[hash].mjs",
    comments: false
  })
  await build.close()
}
