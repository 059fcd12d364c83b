import { spawn } from "node:child_process"
import { once } from "node:events"
import { execPath } from "node:process"
import { text } from "node:stream/consumers"
import { assert, it } from "vitest"

it("holds real conversations, gives everything back, and the process ends by itself (A1, A4, B1, C2)", async () => {
  const child = spawn(execPath, ["--conditions=@clawback/source", "test/proofs/main.ts", "--scale", "small"], {
    stdio: ["ignore", "pipe", "inherit"]
  })
  const [output, [code]] = await Promise.all([text(child.stdout), once(child, "exit")])
  assert.strictEqual(code, 0)
  const { name, met, conversations } = JSON.parse(output.trim().split("\n").at(-1) ?? "")
  assert.deepStrictEqual({ name, met, conversations }, { name: "main", met: true, conversations: 3 })
}, 30_000)
