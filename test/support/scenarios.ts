/** The scenarios of `test/simulations` and the machines of `test/exhaustive`, each the default export of its module. */
import type { Simulation } from "@clawback/testing"
import { existsSync, globSync } from "node:fs"
import { basename, join } from "node:path"
import type { Machine } from "./enumerate.ts"

const folders = {
  simulations: join(import.meta.dirname, "../simulations"),
  exhaustive: join(import.meta.dirname, "../exhaustive")
}

const listed = (folder: string): ReadonlyArray<string> =>
  globSync("[A-Z]*.ts", { cwd: folder }).map((file) => basename(file, ".ts")).toSorted()

export const modules = (): ReadonlyArray<string> => listed(folders.simulations)

export const machines = (): ReadonlyArray<string> => listed(folders.exhaustive)

export const isMachine = (module: string): boolean => machines().includes(module)

/** The file of a scenario or machine. */
export const fileOf = (module: string): string => {
  const file = join(isMachine(module) ? folders.exhaustive : folders.simulations, `${module}.ts`)
  if (existsSync(file)) return file
  throw new Error(`There is no ${module}. There are: ${[...modules(), ...machines()].join(", ")}`)
}

export const load = async (module: string): Promise<Simulation.Scenario> => (await import(fileOf(module))).default

export const loadMachine = async (module: string): Promise<Machine<object>> => (await import(fileOf(module))).default
