/** The modules of providers: what each loads, and what the errors of its provider mean. */
import type { Protocol } from "@clawback/providers"
import { VendorErrors } from "@clawback/testing"
import { globSync, readFileSync } from "node:fs"
import { basename, join } from "node:path"
import { assert, describe, it } from "vitest"
import { neighbours } from "../scripts/imports.ts"
import { providers, rows } from "./support/rows.ts"

const sources = join(import.meta.dirname, "../packages/providers/src")

/** The public modules that make rows. */
const modules = globSync(join(sources, "*.ts")).filter((file) =>
  basename(file) !== "Provider.ts" && /^[^*]*\bProvider\.make\(/m.test(readFileSync(file, "utf8"))
)

/** All files that are loaded with a file, itself included. */
const loaded = (file: string): ReadonlySet<string> => {
  const found = new Set([file])
  for (const one of found) for (const next of neighbours(one)) found.add(next)
  return found
}

describe("the modules of providers", () => {
  it("are all tested", () => {
    assert.isAtLeast(modules.length, 25)
    assert.deepStrictEqual(modules.map((file) => basename(file, ".ts")).toSorted(), Object.keys(providers).toSorted())
  })

  it.each(modules.map((file) => [basename(file, ".ts"), file] as const))(
    "%s loads no other provider, and no protocol that it does not speak",
    (_, file) => {
      const all = loaded(file)
      assert.deepStrictEqual(modules.filter((other) => other !== file && all.has(other)), [])
      const text = readFileSync(file, "utf8")
      for (const protocol of ["OpenAiChat", "OpenAiEmbeddings", "AnthropicMessages"]) {
        assert.strictEqual(all.has(join(sources, `${protocol}.ts`)), text.includes(`./${protocol}.ts`), protocol)
      }
    }
  )

  it("have names of their own", () => {
    const names = Object.values(providers).map(({ provider }) => provider.name)
    assert.strictEqual(new Set(names).size, names.length)
  })

  it.each(rows)("%s names the source of its base URL and of each quirk", (_, { provider }) => {
    assert.isTrue("baseUrl" in provider.sources || "chat" in provider.sources)
    for (const source of Object.values(provider.sources)) {
      assert.match(source, /https:\/\/|programs in public repositories/)
    }
  })
})

describe("the errors of a provider's own", () => {
  const peer: Protocol.Peer = { provider: "test", redact: (text) => text }
  const known = VendorErrors.table.filter(({ provider }) => provider !== undefined)

  it("are of rows", () => {
    const names = new Set(Object.values(providers).map(({ provider }) => provider.name))
    assert.deepStrictEqual(known.filter(({ provider = "" }) => !names.has(provider)), [])
  })

  it.each(known.map((error) => [error.name, error] as const))("%s means what it does", (_, error) => {
    const row = Object.values(providers).find(({ provider }) => provider.name === error.provider)?.provider
    const response = { status: error.status, headers: {}, body: JSON.stringify(error.body) }
    assert.strictEqual(row?.chat.classify(peer, response)._tag, error.means)
    if (row?.embeddings !== undefined) {
      assert.strictEqual(row.embeddings.classify(peer, response)._tag, error.means)
    }
  })
})
