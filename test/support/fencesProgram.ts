/**
 * Runs programs of the documents one after the other in this process: `node fencesProgram.ts FILE...`. For each file, it writes
 * one line of JSON: what the program printed, and the error with which it ended.
 */
import { resolve } from "node:path"
import { argv, stdout } from "node:process"
import { pathToFileURL } from "node:url"
import { formatWithOptions } from "node:util"

let printed = ""
const log = (...values: ReadonlyArray<unknown>) => {
  printed += `${formatWithOptions({ colors: false }, ...values)}\n`
}
Object.assign(console, { log })

for (const file of argv.slice(2)) {
  printed = ""
  // One at a time, so that it is known which of them printed what.
  // oxlint-disable-next-line eslint/no-await-in-loop
  const error = await import(pathToFileURL(resolve(file)).href).then(() => undefined, (error: unknown) => String(error))
  stdout.write(`${JSON.stringify({ file, printed, error })}\n`)
}
