/** The whole table, for `npm run mutate`: returns the first difference. */
import { Comparison, type Difference } from "./compare.ts"
import { pairs } from "./table.ts"

export interface Table {
  readonly pairs: number
  /** The first run that differs. */
  readonly find: () => Promise<Difference | undefined>
}

/** A way to divide work into steps at which few of them are alike, and some of them to strike at. */
const effort = { operations: [5], steps: 4 }

export default {
  pairs: pairs.length,
  find: async () => {
    const comparison = new Comparison()
    for (const { program, wrapper } of pairs) {
      await comparison.pair(program, wrapper, effort)
      const [first] = comparison.differences
      if (first !== undefined) return first
    }
    return undefined
  }
} satisfies Table
