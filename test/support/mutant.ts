/** One of our source files with one mistake. No file on disk changes. */
import { readFileSync } from "node:fs"

export interface Mutant {
  /** What must notice: a scenario of `test/simulations`, a machine of `test/exhaustive`, or the table. */
  readonly module: string
  /** Where the mistake goes, from the root of the repository. */
  readonly file: string
  /** What is replaced. It must occur exactly once. */
  readonly find: string
  readonly replace: string
  /** The rule that the mistake breaks. */
  readonly rule: string
}

/** The source of the mutant's file, with the mistake. */
export const mutate = ({ file, find, replace }: Mutant, source: string): string => {
  const [before, after, ...more] = source.split(find)
  if (before === undefined || after === undefined || more.length > 0) {
    throw new Error(`${JSON.stringify(find)} must occur in ${file} exactly once`)
  }
  return before + replace + after
}

/** What is wrong with how a mutant is written, if anything. */
export const wrongWith = (mutant: Mutant): string | undefined => {
  if (mutant.find === mutant.replace) return `it changes nothing in ${mutant.file}`
  try {
    mutate(mutant, readFileSync(mutant.file, "utf8"))
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}
