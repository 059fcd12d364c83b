import { BaseSequencer, type TestSpecification } from "vitest/node"

/** The longest test files, which start first. They mostly wait for child processes, and would run alone at the end. */
const slow = ["simulations", "proofs", "docs", "examples", "bench"].map((name) => `/test/${name}.test.ts`)

const rank = ({ moduleId }: TestSpecification): number => {
  const at = slow.findIndex((path) => moduleId.endsWith(path))
  return at < 0 ? slow.length : at
}

/** Begins with the slow files. The order of the projects stays. */
export default class SlowFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const byDefault = await super.sort.call(this, files)
    const groups = Map.groupBy(byDefault, ({ project }) => project)
    return Array.from(groups.values()).flatMap((group) => group.toSorted((one, other) => rank(one) - rank(other)))
  }
}
