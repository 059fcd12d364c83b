/** Each proof at its small scale: it must be met, and its process must end by itself. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { execPath } from "node:process"
import { text } from "node:stream/consumers"
import { assert, it } from "vitest"

it.each([
  ["main", "holds real conversations and gives everything back"],
  ["metrics", "counts what the provider and the callers count"],
  ["abort", "cuts calls in every phase and by every means, and leaves nothing of them"],
  ["faces", "cuts calls of both providers by each face of a model, and leaves nothing of them"],
  ["growth", "holds nothing more after thousands of calls, many of which fail"],
  ["growthProviders", "holds nothing more after thousands of calls through the provider layers"],
  ["growthLayers", "holds nothing more after layers of ever new models, providers and kinds of sessions"],
  ["bodies", "gives connections back though nobody reads what comes on them"],
  ["timeouts", "ends each stage of a call in time, and tries again only what may be"],
  ["differential", "does with ours what Effect does without"],
  ["requests", "releases all that a request held when its client vanishes"]
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
