/** Servers that tests start from installed programs. */
import { type ChildProcess, spawn, type SpawnOptions } from "node:child_process"
import { once } from "node:events"
import * as Fs from "node:fs"
import * as Net from "node:net"
import { delimiter, join } from "node:path"
import { env, kill } from "node:process"

/** The first folder of the path, or of `others`, that has all of these programs. */
export const folderOf = (programs: ReadonlyArray<string>, others: ReadonlyArray<string> = []): string | undefined =>
  [...(env["PATH"] ?? "").split(delimiter), ...others]
    .find((folder) => programs.every((program) => Fs.existsSync(join(folder, program))))

export const freePort = async (): Promise<number> => {
  const server = Net.createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as Net.AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

/** Runs a program, and ends it by a signal when its standard input does: with this process, however that ends. */
export const untilEnd = (
  command: ReadonlyArray<string>,
  end: "QUIT" | "KILL",
  options: SpawnOptions
): ChildProcess => {
  const script = `"$@" </dev/null & trap '' INT; cat >/dev/null; kill -${end} $!; wait $!`
  return spawn("/bin/sh", ["-c", script, "sh", ...command], options)
}

/** Signals a process that may have ended. */
export const signal = (pid: number, name: NodeJS.Signals): void => {
  try {
    kill(pid, name)
  } catch {
    // It has ended.
  }
}
