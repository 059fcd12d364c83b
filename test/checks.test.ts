/** The checks of the repository fail when a mistake is planted. */
import { spawnSync } from "node:child_process"
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs"
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
  mkdirSync(join(folder, "scripts"))
  copyFileSync("scripts/purity.ts", join(folder, "scripts/purity.ts"))
  return run("node_modules/oxlint/bin/oxlint")
}

const check = () => run("scripts/arrows.ts")
const checkModules = () => run("scripts/modules.ts")

describe("the purity of core", () => {
  const expressions = [
    "Date.now()",
    "new Date()",
    "(Date as any).now()",
    "performance.now()",
    "process.hrtime.bigint()",
    "setTimeout(() => {}, 1)",
    "setInterval(() => {}, 1)",
    "setImmediate(() => {})",
    "queueMicrotask(() => {})",
    "requestAnimationFrame(() => {})",
    "scheduler.yield()",
    "new MessageChannel()",
    "new Worker(\"\")",
    "AbortSignal.timeout(1)",
    "Temporal.Now.instant()",
    "new Intl.DateTimeFormat().format()",
    "Atomics.waitAsync(new Int32Array(1), 0, 0)",
    "process.env",
    "Math.random()",
    "Math[\"random\"]()",
    "[Math].map((_) => _.random())",
    "crypto.randomUUID()",
    "Promise.resolve()",
    "Array.fromAsync([])",
    "[Array].map((_) => _.fromAsync([]))",
    "new WeakRef({})",
    "fetch(\"\")",
    "eval(\"1\")",
    "new Function(\"return 1\")",
    "require(\"node:fs\")",
    "import(\"node:fs\")",
    "import.meta",
    "async () => {}",
    "async function* () {}",
    "globalThis",
    "global"
  ]
  const statements = [
    "const { random } = Math; export const planted = random()",
    "export const planted = await 1",
    "export {}; for await (const _ of []) {}",
    "import { promise } from \"effect/Effect\"; export const planted = promise",
    "import { tryPromise as attempt } from \"effect/Effect\"; export const planted = attempt",
    "export { runPromise } from \"effect/Effect\"",
    "export * from \"effect/Effect\"",
    "export * as Effect from \"effect/Effect\"",
    "import * as E from \"effect/Effect\"; export { E }",
    "import * as Runtime from \"effect/ManagedRuntime\"; export const planted = Runtime.make",
    ...[
      "E.promise",
      "E.runPromiseWith",
      "E.runPromiseExit",
      "E.runCallback",
      "E.runCallbackWith",
      "E.runFork",
      "E.runSync",
      "E.runSyncExitWith",
      "E[\"promise\"]",
      "E[`pro${\"mise\"}`]",
      "(E as any).promise",
      "[E].map((_) => _.promise)"
    ].map((use) => `import * as E from "effect/Effect"; export const planted = ${use}`),
    "import * as E from \"effect/Effect\"; const { promise } = E; export const planted = promise",
    "import * as E from \"effect/Effect\"; const F = E; export const planted = F.promise",
    "import * as D from \"effect/DateTime\"; export const planted = D.nowUnsafe()",
    "import * as S from \"effect/Stream\"; export const planted = S.fromAsyncIterable",
    "import * as S from \"effect/Stream\"; export const planted = S.toReadableStream",
    "import * as F from \"effect/FiberSet\"; export const planted = F.makeRuntimePromise",
    "import * as H from \"effect/Hash\"; export const planted = H.random({})",
    "import * as S from \"effect/Scheduler\"; export const planted = new S.MixedScheduler()"
  ]
  const impure = [...expressions.map((expression) => `export const planted = () => (${expression})`), ...statements]

  it("rejects time, randomness, promises and threads, under any name", () => {
    for (const [i, code] of impure.entries()) plant(`packages/core/src/Planted${i}.ts`, `${code}\n`)
    const { isGreen, output } = lint()
    assert.isFalse(isGreen)
    for (const [i, code] of impure.entries()) {
      assert.match(output, new RegExp(`purity\\(pure\\)[^\\n]*\\n[^\\n]*Planted${i}\\.ts`), code)
    }
  })

  it("accepts pure globals, and types of the others", () => {
    const pure = `import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import { type ManagedRuntime } from "effect/ManagedRuntime"

export interface Planted extends Effect.Effect<Date> {
  readonly promise: Promise<ManagedRuntime<never, never>>
  readonly run: typeof Effect.runPromise
}

export const planted = (url: URL) =>
  Effect.map(DateTime.now, (now) => [now, Math.max(1, 2), Array.from([url]), Symbol.asyncDispose])
`
    plant("packages/core/src/Planted.ts", pure)
    assert.deepInclude(lint(), { isGreen: true })
  })

  it("does not apply to internal/interop.ts and to other packages", () => {
    const code = "export const planted = () => Promise.resolve(performance.now())\n"
    plant("packages/core/src/internal/interop.ts", code)
    plant("packages/node/src/Planted.ts", code)
    assert.isTrue(lint().isGreen)
  })
})

describe("the arrows between packages", () => {
  const core = `import * as Session from "@clawback/core/Session"\nexport * from "@clawback/core"\n`

  it("allow an import along an arrow", () => {
    plant("packages/router/src/Router.ts", core)
    plant("packages/router/package.json", `{ "dependencies": { "@clawback/providers": "0.1.0" } }`)
    plant("packages/core/src/Session.ts", `/**\n * import { Router } from "@clawback/router"\n */\nexport {}\n`)
    assert.isTrue(check().isGreen)
  })

  it("reject an import against an arrow", () => {
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

  it("apply to package.json too", () => {
    plant("packages/node/src/index.ts", core)
    plant("packages/node/package.json", `{ "dependencies": { "@clawback/testing": "0.1.0" } }`)
    assert.include(check().output, "packages/node/package.json: node may import core, so not testing")
  })

  it("must be declared for every package", () => {
    plant("packages/novelty/src/index.ts", core)
    assert.isFalse(check().isGreen)
  })
})

describe("the imports within a package", () => {
  it("must not form a circle, also by types, re-exports or dynamic imports", () => {
    plant("packages/core/src/One.ts", `import type { Two } from "./internal/two.ts"\n`)
    plant("packages/core/src/internal/two.ts", `export type { Three } from "./three.ts"\n`)
    plant("packages/core/src/internal/three.ts", `export const load = () => import("../One.ts")\n`)
    plant("packages/core/src/internal/four.ts", `import { Two } from "./two.ts"\n`)
    const { isGreen, output } = check()
    assert.isFalse(isGreen)
    assert.include(output, "1 circles")
    assert.include(
      output,
      ["One.ts", "internal/three.ts", "internal/two.ts"].map((_) => `  packages/core/src/${_}\n`).join("")
    )
  })

  it("must not lead from a file to itself", () => {
    plant("packages/core/src/One.ts", `export * as One from "./One.ts"\n`)
    assert.include(check().output, "1 circles")
  })

  it("may form a diamond", () => {
    plant("packages/core/src/One.ts", `import "./internal/two.ts"\nimport "./internal/three.ts"\n`)
    plant("packages/core/src/internal/two.ts", `import "./four.ts"\n`)
    plant("packages/core/src/internal/three.ts", `import "./four.ts"\n// import "../One.ts"\n`)
    plant("packages/core/src/internal/four.ts", "export {}\n")
    assert.isTrue(check().isGreen)
  })

  it("must not lead from a folder of internals to the module above it", () => {
    plant("packages/core/src/SessionError.ts", "export {}\n")
    plant("packages/core/src/internal/session/ledger.ts", `import type { SessionError } from "../../SessionError.ts"\n`)
    assert.include(check().output, "internal/session lies below SessionError.ts")
  })
})

const code = (lines: number) => Array.from({ length: lines }, (_, i) => `export const a${i} = "/*"\n`).join("")

describe("a module", () => {
  const doc = "/**\n * What it is.\n *\n * @stable\n */\n\n"

  it("has at most 250 lines of code, comments and blank lines not counted", () => {
    plant("packages/core/src/One.ts", doc + "\n// a comment\n/* another */\n".repeat(100) + code(250))
    assert.isTrue(checkModules().isGreen)
    plant("packages/core/src/internal/two.ts", code(251))
    const { isGreen, output } = checkModules()
    assert.isFalse(isGreen)
    assert.include(output, "packages/core/src/internal/two.ts: has 251 lines of code")
  })

  it("begins with its documentation, apart from its first import", () => {
    plant("packages/core/src/None.ts", "export {}\n")
    plant("packages/core/src/Attached.ts", "/** What it is. */\nimport type {} from \"./None.ts\"\n")
    const { output } = checkModules()
    for (const name of ["None", "Attached"]) {
      assert.include(output, `packages/core/src/${name}.ts: must begin with its documentation`)
    }
    assert.include(output, "2 faults")
  })

  it("says at the end of its documentation whether it is stable", () => {
    plant("packages/core/src/Good.ts", doc + "export {}\n")
    plant("packages/core/src/Early.ts", doc.replace("@stable", "@experimental") + "export {}\n")
    plant("packages/core/src/internal/free.ts", "export {}\n")
    assert.isTrue(checkModules().isGreen)
    plant("packages/core/src/Bare.ts", doc.replace(" *\n * @stable\n", "") + "export {}\n")
    plant("packages/core/src/Other.ts", doc.replace("@stable", "@beta") + "export {}\n")
    plant("packages/core/src/index.ts", "export {}\n")
    const { isGreen, output } = checkModules()
    assert.isFalse(isGreen)
    for (const name of ["Bare", "Other"]) {
      assert.include(output, `packages/core/src/${name}.ts: its documentation must end with`)
    }
    assert.include(output, "2 faults")
  })
})

const build = () => run("scripts/bundle.ts")

/** What a program prints that imports modules from the planted build. */
const printed = (program: string) => {
  plant("main.mjs", program)
  return spawnSync(execPath, ["main.mjs"], { cwd: folder, encoding: "utf8" }).stdout.trim()
}

describe("the build of the packages", () => {
  beforeEach(() => {
    const json = "packages/providers/src/internal/json/json.ts"
    plant("packages/core/src/index.ts", "export * as One from \"./One.ts\"\n")
    plant("packages/core/src/One.ts", "export { one } from \"./internal/one.ts\"\n")
    plant("packages/core/src/Two.ts", "export { one as two } from \"./internal/one.ts\"\n")
    plant("packages/core/src/internal/one.ts", "export const one: object = {}\n")
    plant("packages/providers/src/index.ts", "")
    plant("packages/providers/src/Provider.ts", "export { json } from \"./internal/json/json.ts\"\n")
    plant(json, "export const json = 1\n")
    plant("packages/providers/src/Anthropic.ts", "export { talk } from \"./internal/protocols/own/talk.ts\"\n")
    plant("packages/providers/src/internal/protocols/own/talk.ts", "export const talk = 1\n")
    plant("packages/core/dist/internal/old.js", "")
  })

  it("has one copy of each module, and no file that is left of another build", () => {
    assert.deepInclude(build(), { isGreen: true })
    const program = "import { One } from \"./packages/core/dist/index.js\"\n" +
      "import { two } from \"./packages/core/dist/Two.js\"\nconsole.log(One.one === two)\n"
    assert.strictEqual(printed(program), "true")
    assert.isFalse(existsSync(join(folder, "packages/core/dist/internal/old.js")))
  })

  it("fails where a module would load a protocol that it does not import", () => {
    const http = "import { talk } from \"../protocols/own/talk.ts\"\nexport const http = [talk]\n"
    plant("packages/providers/src/internal/http/http.ts", http)
    plant("packages/providers/src/Own.ts", "export { http } from \"./internal/http/http.ts\"\n")
    const { isGreen, output } = build()
    assert.isFalse(isGreen)
    assert.include(output, "Provider.js also loads packages/providers/src/internal/protocols/own/talk.ts")
  })
})

const documents = () => run("scripts/documents.ts")
const words = (count: number) => "word ".repeat(count)

describe("the check of the documents", () => {
  it("accepts short ones whose links lead somewhere", () => {
    plant("README.md", `${words(690)}\n\n[docs](docs/page.md#a-heading-with-code) [web](https://example.com)\n`)
    plant("docs/page.md", "# A heading, with `code`\n\n[back](../README.md) [above](#a-heading-with-code)\n")
    plant("packages/core/README.md", words(900))
    plant("test/README.md", words(2000))
    assert.deepInclude(documents(), { isGreen: true })
  })

  it("rejects a README that is longer than its limit", () => {
    plant("README.md", words(701))
    plant("packages/core/README.md", words(901))
    const { isGreen, output } = documents()
    assert.isFalse(isGreen)
    assert.include(output, "README.md: 701 words, 700 are allowed")
    assert.include(output, "packages/core/README.md: 901 words, 900 are allowed")
  })

  it("rejects a link that leads to no file or no heading", () => {
    plant("docs/page.md", "[gone](gone.md) [moved](../CONTRIBUTING.md#moved)\n")
    plant("CONTRIBUTING.md", "# Contributing\n")
    const { isGreen, output } = documents()
    assert.isFalse(isGreen)
    assert.include(output, "docs/page.md: gone.md leads to no file")
    assert.include(output, "docs/page.md: ../CONTRIBUTING.md#moved leads to no heading")
  })

  it("rejects what the packages do not contain, in a document that they contain", () => {
    plant("README.md", "`npm test`\n")
    plant("test/README.md", "`npm run prove`\n")
    plant("docs/checkout.md", "In a checkout of\nthe repository, `npm run prove` runs [all](../test/README.md).\n")
    plant("docs/own.md", "    at /app/test/chat.test.ts:58:21\n\n`npm install effect`, `node --test`\n")
    plant("llms.txt", "[one](docs/checkout.md) [two](docs/own.md)\n")
    assert.deepInclude(documents(), { isGreen: true })
    plant("docs/own.md", "`npm run bench -- codec` and [a test](../test/README.md)\n")
    plant("packages/core/README.md", "See `examples/http-api`.\n")
    const { isGreen, output } = documents()
    assert.isFalse(isGreen)
    assert.include(output, "docs/own.md: \"npm run bench -- codec\" is not in the packages")
    assert.include(output, "docs/own.md: \"../test/README.md\" is not in the packages")
    assert.include(output, "packages/core/README.md: \"examples/http-api\" is not in the packages")
  })

  it("rejects a list of pages that lacks one, or has one that is not there", () => {
    plant("docs/page.md", "# Page\n")
    plant("docs/recipes/other.md", "# Other\n")
    plant("llms.txt", "- [Page](docs/page.md)\n- [Gone](docs/gone.md)\n")
    const { isGreen, output } = documents()
    assert.isFalse(isGreen)
    assert.include(output, "llms.txt: docs/gone.md leads to no file")
    assert.include(output, "llms.txt: does not list docs/recipes/other.md")
    assert.notInclude(output, "does not list docs/page.md")
  })
})

const release = () => run("scripts/release.ts")
const manifest = (version: string, homepage = "https://effect.website") => JSON.stringify({ version, homepage })

describe("the check before a release", () => {
  it("accepts packages of one version that the changelog describes", () => {
    plant("packages/core/package.json", manifest("0.2.0"))
    plant("packages/node/package.json", manifest("0.2.0"))
    plant("packages/benchmarks/package.json", JSON.stringify({ private: true }))
    plant("CHANGELOG.md", "# Changelog\n\n## 0.2.0 (2026-12-01)\n\n## 0.1.0\n")
    assert.deepInclude(release(), { isGreen: true })
  })

  it("rejects what is not ready, and says what to do", () => {
    plant("packages/core/package.json", manifest("0.2.0", "https://clawback.example"))
    plant("packages/node/package.json", manifest("0.1.0"))
    plant(".changeset/brave-dogs.md", "---\n---\n")
    plant("CHANGELOG.md", "# Changelog\n\n## 0.2.0 (unreleased)\n")
    const { isGreen, output } = release()
    assert.isFalse(isGreen)
    assert.include(
      output,
      "packages/core/package.json: homepage, bugs and repository still have the address of an example"
    )
    assert.include(output, ".changeset/brave-dogs.md is in no version yet")
    assert.include(output, "There are packages of version 0.2.0 and 0.1.0")
    assert.include(output, "CHANGELOG.md begins with \"## 0.2.0 (unreleased)\"")
  })
})
