/** The checks that keep the rooms apart go red when something wrong is planted. */
import { spawnSync } from "node:child_process"
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { execPath } from "node:process"
import { afterEach, assert, beforeEach, describe, it } from "vitest"

let folder = ""

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "clawback-checks-"))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const plant = (file: string, text: string) => {
  mkdirSync(dirname(join(folder, file)), { recursive: true })
  writeFileSync(join(folder, file), text)
}

const run = (command: string, ...args: ReadonlyArray<string>) => {
  const { status, stderr, stdout } = spawnSync(execPath, [resolve(command), ...args], { cwd: folder, encoding: "utf8" })
  return { isGreen: status === 0, output: stdout + stderr }
}

const lint = () => {
  copyFileSync(".oxlintrc.json", join(folder, ".oxlintrc.json"))
  return run("node_modules/oxlint/bin/oxlint")
}

const check = () => run("scripts/arrows.ts")

describe("the purity of core", () => {
  const impurities = [
    "Date.now()",
    "new Date()",
    "performance.now()",
    "setTimeout(() => {}, 1)",
    "setInterval(() => {}, 1)",
    "setImmediate(() => {})",
    "queueMicrotask(() => {})",
    "process.env",
    "Math.random()",
    "crypto.randomUUID()",
    "Promise.resolve()",
    "async () => {}",
    "globalThis"
  ]
  const code = impurities.map((impurity, i) => `export const planted${i} = () => ${impurity}\n`)
  it("is lost by time, randomness, promises and Node.js", () => {
    for (const [i, line] of code.entries()) plant(`packages/core/src/Planted${i}.ts`, line)
    const { isGreen, output } = lint()
    assert.isFalse(isGreen)
    for (const i of code.keys()) assert.include(output, `packages/core/src/Planted${i}.ts`)
  })

  it("does not bind internal/interop.ts, nor other packages", () => {
    plant("packages/core/src/internal/interop.ts", code.join(""))
    plant("packages/node/src/Planted.ts", code.join(""))
    assert.isTrue(lint().isGreen)
  })
})

describe("the arrows between packages", () => {
  const core = `import * as Session from "@clawback/core/Session"\nexport * from "@clawback/core"\n`

  it("may be followed", () => {
    plant("packages/router/src/Router.ts", core)
    plant("packages/router/package.json", `{ "dependencies": { "@clawback/providers": "0.1.0" } }`)
    plant("packages/core/src/Session.ts", `/**\n * import { Router } from "@clawback/router"\n */\nexport {}\n`)
    assert.isTrue(check().isGreen)
  })

  it("may not be gone against", () => {
    const against = [
      `import { Router } from "@clawback/router"`,
      `import type { Router } from "@clawback/router/Router"`,
      `import {\n  Router\n} from "@clawback/router"`,
      `import {\n  // it's not seen\n  Router\n} from "@clawback/router"`,
      `import "@clawback/router"`,
      `export * from "@clawback/router"`,
      `export const load = () => import("@clawback/router")`,
      `import { make } from "../../router/src/internal/make.ts"`
    ]
    for (const [i, code] of against.entries()) plant(`packages/core/src/Planted${i}.ts`, `${code}\n`)
    const { isGreen, output } = check()
    assert.isFalse(isGreen)
    for (const i of against.keys()) {
      assert.include(output, `packages/core/src/Planted${i}.ts: core may import none of our packages, so not router`)
    }
  })

  it("are also those of package.json", () => {
    plant("packages/node/src/index.ts", core)
    plant("packages/node/package.json", `{ "dependencies": { "@clawback/testing": "0.1.0" } }`)
    assert.include(check().output, "packages/node/package.json: node may import core, so not testing")
  })

  it("are known for every package", () => {
    plant("packages/novelty/src/index.ts", core)
    assert.isFalse(check().isGreen)
  })
})
