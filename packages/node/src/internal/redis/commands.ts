/** What commands do to the connection that they run on. https://redis.io/docs/latest/commands/ */
import type { Arguments } from "./model.ts"

export const nameOf = ([command = ""]: Arguments): string =>
  typeof command === "string" ? command.toUpperCase() : new TextDecoder().decode(command).toUpperCase()

const blocking: ReadonlySet<string> = new Set([
  "BLPOP",
  "BRPOP",
  "BLMOVE",
  "BLMPOP",
  "BRPOPLPUSH",
  "BZPOPMIN",
  "BZPOPMAX",
  "BZMPOP",
  "WAIT",
  "WAITAOF"
])

const reading: ReadonlySet<string> = new Set(["XREAD", "XREADGROUP"])

/** Whether the server may let it wait on purpose, for as long as its own timeout says. */
export const isBlocking = (args: Arguments): boolean => {
  const name = nameOf(args)
  return blocking.has(name) ||
    (reading.has(name) && args.some((arg) => typeof arg === "string" && arg.toUpperCase() === "BLOCK"))
}

/** They begin something that later commands of the same connection belong to. */
const beginning: ReadonlySet<string> = new Set(["MULTI", "WATCH"])

const ending: ReadonlySet<string> = new Set(["EXEC", "DISCARD", "UNWATCH"])

/** They change the connection for as long as it is open. */
const lasting: ReadonlySet<string> = new Set([
  "AUTH",
  "HELLO",
  "MONITOR",
  "PSUBSCRIBE",
  "PSYNC",
  "QUIT",
  "READONLY",
  "READWRITE",
  "RESET",
  "SELECT",
  "SSUBSCRIBE",
  "SUBSCRIBE",
  "SYNC"
])

const client: ReadonlySet<string> = new Set(["REPLY", "TRACKING", "CACHING", "SETNAME", "NO-EVICT", "NO-TOUCH"])

/** What a command leaves on its connection: nothing, something until it is ended, or something that lasts. */
export const traceOf = (args: Arguments): "none" | "begins" | "ends" | "lasts" => {
  const name = nameOf(args)
  if (beginning.has(name)) return "begins"
  if (ending.has(name)) return "ends"
  if (lasting.has(name)) return "lasts"
  return name === "CLIENT" && args[1] !== undefined && client.has(nameOf([args[1]])) ? "lasts" : "none"
}

/** Why a command may not run on the connection that everybody shares. */
export const refusal = (args: Arguments): string | undefined => {
  if (isBlocking(args)) return "it would hold up the commands of everybody else. Run it on a connection of `reserve`."
  return traceOf(args) === "none"
    ? undefined
    : "it changes the connection, which everybody shares. Run it on a connection of `reserve`, or use `subscribe`."
}
