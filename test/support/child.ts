/** A server in its own process, so that the kernel's counts of the two sides do not mix. */
import { type ChildProcess, fork } from "node:child_process"
import { once } from "node:events"
import { join } from "node:path"

export interface Child {
  readonly pid: number
  readonly port: number
  /** Sends a word and waits for the answer. */
  readonly ask: (word: string) => Promise<unknown>
  readonly stop: () => Promise<void>
}

const message = async (child: ChildProcess): Promise<unknown> => {
  const listening = new AbortController()
  const { signal } = listening
  try {
    const [answer] = await Promise.race([
      once(child, "message", { signal }),
      once(child, "exit", { signal }).then(([code]) => Promise.reject(new Error(`The server ended with ${code}`)))
    ])
    return answer
  } finally {
    listening.abort()
  }
}

/** Starts a module of this folder, which sends its port when it listens. */
export const start = async (module: string, ...args: ReadonlyArray<string>): Promise<Child> => {
  const child = fork(join(import.meta.dirname, module), args, { execArgv: ["--conditions=@clawback/source"] })
  const { port } = await message(child) as { readonly port: number }
  return {
    pid: child.pid!,
    port,
    ask: (word) => {
      const answer = message(child)
      child.send(word)
      return answer
    },
    stop: async () => {
      const exited = once(child, "exit")
      child.disconnect()
      await exited
    }
  }
}
