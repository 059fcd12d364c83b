import { ServeError } from "effect/http/HttpServerError"

/** What to do about an error of `listen`, by its code. */
const advice: Readonly<Record<string, string>> = {
  EADDRINUSE: "Stop the process that uses the port, or choose another port.",
  EACCES: "Choose a port from 1024 up, or give the process the right to use this one.",
  EADDRNOTAVAIL: "Choose an address of this machine as `host`."
}

/** Effect's error of a server that cannot listen, with a message. Effect's own has none. The cause stays. */
export const withMessage = ({ cause }: ServeError): ServeError => {
  const reason = cause instanceof Error ? cause.message : String(cause)
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : ""
  const fields = { cause, message: [`The server cannot listen: ${reason}.`, advice[code] ?? ""].join(" ").trim() }
  return new ServeError(fields)
}
