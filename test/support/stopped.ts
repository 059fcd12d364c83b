/** A program in its own process that gets a signal, and how it ended. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { performance } from "node:perf_hooks"
import { text } from "node:stream/consumers"

interface Stopped {
  readonly code: number | null
  /** All that it said. */
  readonly output: string
  /** When it had ended. */
  readonly at: number
}

export interface Running {
  readonly child: ChildProcess
  /** What it said of itself as it began. */
  readonly port: number
  readonly ended: Promise<Stopped>
}

/** Starts a program, bundled or built, with arguments. */
export const start = (program: string, ...args: ReadonlyArray<string>): Omit<Running, "port"> => {
  const child = fork(program, args, { execArgv: [], stdio: ["ignore", "pipe", "pipe", "ipc"] })
  const said = Promise.all([text(child.stdout!), text(child.stderr!)])
  const ended = once(child, "exit").then(async ([code]) => {
    const at = performance.now()
    return { code, output: (await said).join("\n"), at }
  })
  return { child, ended }
}

/** The same, and waits until it says that it runs. */
export const running = async (program: string, ...args: ReadonlyArray<string>): Promise<Running> => {
  const { child, ended } = start(program, ...args)
  const [{ port }] = await Promise.race([
    once(child, "message"),
    ended.then(({ output }) => Promise.reject(new Error(output)))
  ])
  return { child, ended, port }
}
