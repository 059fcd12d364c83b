import { BaseSequencer, type TestSpecification } from "vitest/node"

/** The longest test files, which start first: one that starts last runs alone at the end. */
const slow = [
  "simulations",
  "proofs",
  "serverProofs",
  "NodeShutdown.kernel",
  "NodeServer.kernel",
  "docs",
  "TransportInterruption",
  "exitCodes.kernel",
  "bench",
  "leakCheck.kernel",
  "LeakCheckPeers.kernel",
  "providers",
  "FaultyProvider",
  "examples"
].map((name) => `/${name}.test.ts`)

const rank = ({ moduleId }: TestSpecification): number => {
  const at = slow.findIndex((path) => moduleId.endsWith(path))
  return at < 0 ? slow.length : at
}

/** Begins with the slow files. The order of the others stays. */
export default class SlowFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    const byDefault = await super.sort.call(this, files)
    return byDefault.toSorted((one, other) => rank(one) - rank(other))
  }
}
