/** The scenarios of `test/simulations`, each the default export of the module that it is called by. */
import type { Simulation } from "@clawback/testing"
import { existsSync, globSync } from "node:fs"
import { basename, join } from "node:path"

const folder = join(import.meta.dirname, "../simulations")

export const modules = (): ReadonlyArray<string> =>
  globSync("[A-Z]*.ts", { cwd: folder }).map((file) => basename(file, ".ts")).toSorted()

export const load = async (module: string): Promise<Simulation.Scenario> => {
  const file = join(folder, `${module}.ts`)
  if (!existsSync(file)) throw new Error(`There is no scenario ${module}. There are: ${modules().join(", ")}`)
  const { default: scenario } = await import(file)
  return scenario
}
