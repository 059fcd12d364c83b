/** A faulty provider in its own process, which ends with its parent, even if the parent is killed. */
import * as Effect from "effect/Effect"
import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { execPath, exit } from "node:process"
import { type Address, type Control, names, NotStarted, type Server, Unavailable } from "./control.ts"
import * as FaultyServer from "./server.ts"

export interface Options extends Omit<FaultyServer.Options, "handler"> {
  /** URL of a module whose default export is the handler. */
  readonly handler: string | undefined
  readonly execArgv: ReadonlyArray<string>
}

interface Question {
  readonly id: number
  readonly method: typeof names[number]
  readonly args: ReadonlyArray<unknown>
}

type Answer =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly error: string }

const program = `import(process.argv[1]).then((module) => module.serve())`

/** Sources need the condition; built files do not. */
const conditions = import.meta.url.endsWith(".ts") ? ["--conditions=@clawback/source"] : []

const send = (message: unknown, sent?: () => void) =>
  process.connected && process.send?.(message, undefined, undefined, sent)

/** The first message of the child: its address, or its error. */
type First =
  | Address
  | { readonly error: string; readonly isStarted: boolean }

const load = async (handler: string): Promise<FaultyServer.Handler> => {
  const module: { readonly default?: unknown } = await import(handler)
  if (typeof module.default === "function") return module.default as FaultyServer.Handler
  throw new TypeError(`the default export of ${handler} is no function`)
}

/** Sends the error, and then ends the process. */
const fail = (isStarted: boolean) => (error: unknown) =>
  new Promise<never>(() => send({ error: String(error), isStarted } satisfies First, () => exit(1)))

/** The function that the child runs, by name. @public */
export const serve = async (): Promise<void> => {
  process.on("disconnect", () => exit(0))
  const [{ handler: url, ...options }] = await once(process, "message") as [Options]
  const handler = url === undefined ? undefined : await load(url).catch(fail(false))
  const running = Effect.gen(function*() {
    const { address, control } = yield* FaultyServer.make({ ...options, handler })
    const context = yield* Effect.context<never>()
    const runFork = Effect.runForkWith(context)
    process.on("message", ({ args, id, method }: Question) => {
      const ask = control[method] as (...args: ReadonlyArray<unknown>) => Effect.Effect<unknown, Unavailable>
      runFork(Effect.match(ask(...args), {
        onFailure: ({ cause }) => send({ id, error: String(cause) }),
        onSuccess: (value) => send({ id, value: value ?? null })
      }))
    })
    send(address satisfies First)
    return yield* Effect.never
  })
  await Effect.runPromise(Effect.scoped(running)).catch(fail(true))
}

const start = async (options: Options): Promise<{ readonly child: ChildProcess; readonly address: Address }> => {
  const child = spawn(
    execPath,
    [...conditions, ...options.execArgv, "-e", program, import.meta.url],
    { stdio: ["ignore", "inherit", "inherit", "ipc"], serialization: "advanced" }
  )
  // A flag that Node does not know ends the child before it reads this.
  child.send(options, () => {})
  const [first]: ReadonlyArray<First> = await Promise.race([
    once(child, "message"),
    // All its messages have been read by then.
    once(child, "disconnect").then(() => [{ error: "it ended before it said anything", isStarted: false }])
  ])
  if (first === undefined) throw new NotStarted({ cause: "it said nothing" })
  if ("port" in first) return { child, address: first }
  throw first.isStarted ? new Unavailable({ cause: first.error }) : new NotStarted({ cause: first.error })
}

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exited = once(child, "exit")
  // Nothing in the child needs to be awaited, and nothing outlives it.
  child.kill("SIGKILL")
  await exited
}

/** Sends commands to the child. Each command has a number, and its result the same one. */
const remote = (child: ChildProcess): Control => {
  let last = 0
  const pending = new Map<number, (answer: Answer) => void>()
  child.on("message", (answer: Answer) => {
    pending.get(answer.id)?.(answer)
    pending.delete(answer.id)
  })
  child.once("exit", (code, signal) => {
    for (const [id, settle] of pending) settle({ id, error: `the provider's process ended (${code ?? signal})` })
    pending.clear()
  })
  const ask = (method: Question["method"]) => (...args: ReadonlyArray<unknown>) =>
    Effect.callback<unknown, Unavailable>((resume) => {
      const id = ++last
      pending.set(
        id,
        (answer) =>
          resume(
            "error" in answer ? Effect.fail(new Unavailable({ cause: answer.error })) : Effect.succeed(answer.value)
          )
      )
      const question: Question = { id, method, args }
      if (child.connected) child.send(question)
      else pending.get(id)?.({ id, error: "the provider's process has ended" })
      return Effect.sync(() => void pending.delete(id))
    })
  const dieing = (method: Question["method"]) => (...args: ReadonlyArray<unknown>) => Effect.orDie(ask(method)(...args))
  return {
    ...Object.fromEntries(names.map((name) => [name, dieing(name)])) as unknown as Control,
    listening: ask("listening") as Control["listening"]
  }
}

export const make = (options: Options) =>
  Effect.acquireRelease(
    Effect.tryPromise({
      try: () => start(options),
      catch: (cause) => cause instanceof Unavailable || cause instanceof NotStarted ? cause : new NotStarted({ cause })
    }),
    ({ child }) => Effect.promise(() => stop(child))
  ).pipe(Effect.map(({ address, child }): Server => ({ address, control: remote(child) })))
