/** The scale of a proof: `--scale small|full`. Default: full. */
import { argv, exit, stderr } from "node:process"
import { parseArgs } from "node:util"

export const scale = (): "small" | "full" => {
  const { values } = parseArgs({ args: argv.slice(2), options: { scale: { type: "string", default: "full" } } })
  if (values.scale === "small" || values.scale === "full") return values.scale
  stderr.write(`--scale is small or full, not ${values.scale}\n`)
  return exit(2)
}
