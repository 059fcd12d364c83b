import { execFileSync } from "node:child_process"
import { env, execPath } from "node:process"

/** Runs npm in a folder: the npm that runs this program, if one does. */
export const npm = (folder: string, ...args: ReadonlyArray<string>) => {
  const own = env["npm_execpath"]
  const [command, ...before] = own === undefined ? ["npm"] as const : [execPath, own] as const
  execFileSync(command, [...before, ...args], { cwd: folder, stdio: "ignore" })
}
