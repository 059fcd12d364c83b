/** Each proof at its small scale: it must be met, and its process must end by itself. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { execPath } from "node:process"
import { text } from "node:stream/consumers"
import { assert, it } from "vitest"

it.each([
  ["main", "holds real conversations and gives everything back (A1, A4, B1, C2)"],
  ["metrics", "counts what the provider and the callers count (D2)"],
  ["abort", "cuts calls in every phase and by every means, and leaves nothing of them (A1, A4, D7)"],
  ["faces", "cuts calls of both providers by each face of a model, and leaves nothing of them (A1, A4, C2, D7)"],
  ["growth", "holds nothing more after thousands of calls, many of which fail (B5)"],
  ["growthProviders", "holds nothing more after thousands of calls through the provider layers (B5, C2)"],
  ["growthLayers", "holds nothing more after layers of ever new models, providers and kinds of sessions (B5, D2)"],
  ["bodies", "gives connections back though nobody reads what comes on them (A4, B6)"],
  ["timeouts", "ends each stage of a call in time, and tries again only what may be (B5, B6)"],
  ["differential", "does with ours what Effect does without (A1, A4, B2, B5, B16)"],
  ["requests", "releases all that a request held when its client vanishes (A4, B16)"]
])("%s: %s", async (name) => {
  const child = spawn(
    execPath,
    ["--conditions=@clawback/source", "--expose-gc", `test/proofs/${name}.ts`, "--scale", "small"],
    {
      stdio: ["ignore", "pipe", "inherit"]
    }
  )
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")])
  assert.strictEqual(code, 0, output)
  const last: unknown = JSON.parse(output.trim().split("\n").at(-1) ?? "")
  assert.deepInclude(last as object, { name, met: true })
}, 60_000)
