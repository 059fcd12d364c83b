/** Protocols stand side by side: none knows another one, or anything of a call. */
import { assert, describe, it } from "@effect/vitest"
import { globSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"

const source = join(import.meta.dirname, "../src")

/** The model that all protocols share, and the contract that they fulfil. */
const models = new Set([
  "ChatEvent",
  "ChatRequest",
  "ChatResponse",
  "Embedding",
  "Json",
  "Protocol",
  "ProviderError",
  "RateLimit"
].map((name) => `${name}.ts`))

const rooms = ["framing", "http", "json", "model"].map((name) => `internal/${name}`)

/** What protocols of one vendor share. */
const shared = (protocol: string): ReadonlyArray<string> => protocol.startsWith("openAi") ? ["openAi"] : []

const names = new Set([
  ...["Request", "Messages", "Parts", "Response", "Stream", "Error"].flatMap((
    what
  ) => [`decode${what}`, `encode${what}`]),
  "extras",
  "finishReason",
  "limits",
  "quirks",
  "read",
  "usage"
])
/** What one protocol alone has. */
const others = new Set([
  "anthropicMessages/toolIds",
  "openAi/errorBody",
  "openAi/place",
  "openAiChat/callIds",
  "openAiChat/reasoningDetails",
  "openAiChat/toolCalls"
])

const files = globSync("internal/protocols/*/*.ts", { cwd: source }).map((path) => path.replaceAll("\\", "/"))

const importsOf = (file: string): ReadonlyArray<string> =>
  [...readFileSync(join(source, file), "utf8").matchAll(/\bfrom "(\.[^"]+)"/g)].map(([, specifier = ""]) =>
    relative(source, join(source, dirname(file), specifier)).replaceAll("\\", "/")
  )

describe("the folders of protocols", () => {
  it("import only models, shared rooms and what their vendor's protocols share", () => {
    assert.isAbove(files.length, 30)
    for (const file of files) {
      const [, , protocol = ""] = file.split("/")
      const mayImport = new Set([
        ...rooms,
        ...[protocol, ...shared(protocol)].map((name) => `internal/protocols/${name}`)
      ])
      for (const imported of importsOf(file)) {
        assert.isTrue(
          models.has(imported) || mayImport.has(dirname(imported)),
          `${file} must not import ${imported}`
        )
      }
    }
  })

  it("have the same names in each", () => {
    for (const file of files) {
      const [, , protocol = "", name = ""] = file.replace(/\.ts$/, "").split("/")
      assert.isTrue(names.has(name) || others.has(`${protocol}/${name}`), file)
    }
  })
})
