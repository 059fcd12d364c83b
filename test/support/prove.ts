/** Runs a proof at its small scale: it must succeed, and its process must exit by itself. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { execPath } from "node:process"
import { text } from "node:stream/consumers"
import { assert } from "vitest"

export const prove = async (name: string): Promise<void> => {
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
}
