/** Runs npm, and installs folders that have a lock of their own. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { env, execPath } from "node:process"

/** Runs npm in a folder: the npm that runs this program, if one does. */
export const npm = (folder: string, ...args: ReadonlyArray<string>) => {
  const own = env["npm_execpath"]
  const [command, ...before] = own === undefined ? ["npm"] as const : [execPath, own] as const
  execFileSync(command, [...before, ...args], { cwd: folder, stdio: "ignore" })
}

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string; readonly optional?: boolean }>>
}

const read = (file: string): Lock["packages"] => {
  try {
    const lock: Lock = JSON.parse(readFileSync(file, "utf8"))
    return lock.packages
  } catch {
    return {}
  }
}

const isInstalled = (folder: string) => {
  const installed = read(join(folder, "node_modules/.package-lock.json"))
  return Object.entries(read(join(folder, "package-lock.json"))).every(([path, { optional, version }]) =>
    path === "" || optional === true || installed[path]?.version === version
  )
}

/** Installs the versions that the folder's lock has, unless they are there. */
export const installIn = (folder: string) => {
  if (isInstalled(folder)) return
  npm(folder, "ci", "--no-audit", "--no-fund")
}
