import type { Reporter, TestModule } from "vitest/node"

/** Ends the output of a test run with the plain line `N passed, N failed, N skipped`, which any CI system can read. */
export default class Summary implements Reporter {
  onTestRunEnd(modules: ReadonlyArray<TestModule>, unhandledErrors: ReadonlyArray<unknown>) {
    const count = { passed: 0, failed: unhandledErrors.length, skipped: 0, pending: 0 }
    for (const module of modules) {
      for (const test of module.children.allTests()) count[test.result().state]++
      // A file or a suite can fail outside its tests: when it is loaded, or in a hook.
      for (const suite of [module, ...module.children.allSuites()]) count.failed += suite.errors().length
    }
    const line = `${count.passed} passed, ${count.failed + count.pending} failed, ${count.skipped} skipped`
    process.once("exit", () => process.stdout.write(`${line}\n`))
  }
}
