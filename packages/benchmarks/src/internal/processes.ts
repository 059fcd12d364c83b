/** Processes that a benchmark measures or is served by, each on a processor core of its own where the system can do that. */
import { type ChildProcess, execFileSync, spawn } from "node:child_process"
import { once } from "node:events"

/** The cores that this process may use. Empty where `taskset` does not exist. */
const readCores = (): ReadonlyArray<number> => {
  try {
    const shown = execFileSync("taskset", ["-cp", String(process.pid)], { encoding: "utf8" })
    const list = shown.slice(shown.lastIndexOf(":") + 1).trim()
    return list.split(",").flatMap((range) => {
      const [first = NaN, last = first] = range.split("-").map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
  } catch {
    return []
  }
}

const cores = readCores()

/** Starts a program of ours with a message channel. It imports built packages: the source condition is not passed on. */
const start = (core: number | undefined, program: string, ...args: ReadonlyArray<string>): ChildProcess => {
  const command = [process.execPath, program, ...args]
  const [file = "", ...rest] = core === undefined ? command : ["taskset", "-c", String(core), ...command]
  return spawn(file, rest, { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" })
}

/** Starts a client, on any core. */
export const startUnpinned = (program: string, ...args: ReadonlyArray<string>): ChildProcess =>
  start(undefined, program, ...args)

/** Starts a client. All clients share one core, so only one of them may work at a time. */
export const startPinned = (program: string, ...args: ReadonlyArray<string>): ChildProcess =>
  start(cores[0], program, ...args)

/** Starts a server, on another core than the clients'. */
export const startServer = (program: string, ...args: ReadonlyArray<string>): ChildProcess =>
  start(cores[1], program, ...args)

/** Waits for the next message of a process. Fails if the process exits first. */
export const received = async <A>(child: ChildProcess): Promise<A> => {
  const given = new AbortController()
  const { signal } = given
  try {
    return await Promise.race([
      once(child, "message", { signal }).then(([message]) => message as A),
      once(child, "exit", { signal }).then(([code]): never => {
        throw new Error(`${child.spawnargs.join(" ")} exited with ${code}`)
      })
    ])
  } finally {
    given.abort()
  }
}
