/**
 * The scenarios of `test/simulations`, the machines of `test/exhaustive` and the table of `test/differential`, each the
 * default export of its module.
 */
import type { Simulation } from "@clawback/testing"
import { existsSync, globSync } from "node:fs"
import { basename, join } from "node:path"
import type { Machine } from "./enumerate.ts"

const folders = {
  simulations: join(import.meta.dirname, "../simulations"),
  exhaustive: join(import.meta.dirname, "../exhaustive"),
  differential: join(import.meta.dirname, "../differential")
}

const listed = (folder: string): ReadonlyArray<string> =>
  globSync("[A-Z]*.ts", { cwd: folder }).map((file) => basename(file, ".ts")).toSorted()

export const modules = (): ReadonlyArray<string> => listed(folders.simulations)

export const machines = (): ReadonlyArray<string> => listed(folders.exhaustive)

export const isMachine = (module: string): boolean => machines().includes(module)

export const isTable = (module: string): boolean => listed(folders.differential).includes(module)

/** The file of a scenario, a machine or the table. */
export const fileOf = (module: string): string => {
  const file = Object.values(folders).map((folder) => join(folder, `${module}.ts`)).find((file) => existsSync(file))
  if (file !== undefined) return file
  const known = Object.values(folders).flatMap(listed)
  throw new Error(`There is no ${module}. There are: ${known.join(", ")}`)
}

export const load = async (module: string): Promise<Simulation.Scenario> => (await import(fileOf(module))).default

export const loadMachine = async (module: string): Promise<Machine<object>> => (await import(fileOf(module))).default
