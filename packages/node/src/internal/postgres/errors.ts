/** PostgreSQL's errors as the reasons of Effect's `SqlError`, by SQLSTATE. */
import { hasProperty } from "effect/Predicate"
import * as SqlError from "effect/sql/SqlError"
import { DatabaseError } from "pg"
import { type Address, nameOf } from "./model.ts"

interface Facts {
  readonly cause: unknown
  readonly message: string
  readonly operation: string
}

type Reason = (facts: Facts) => SqlError.SqlErrorReason

const connection: Reason = (facts) => new SqlError.ConnectionError(facts)
const authentication: Reason = (facts) => new SqlError.AuthenticationError(facts)
const unknown: Reason = (facts) => new SqlError.UnknownError(facts)

const constraintOf = (cause: unknown): string =>
  hasProperty(cause, "constraint") && typeof cause.constraint === "string" ? cause.constraint : "unknown"

/** SQLSTATEs, and classes of them (their first two characters). https://www.postgresql.org/docs/current/errcodes-appendix.html */
const reasons: Readonly<Record<string, Reason>> = {
  "08": connection,
  "28": authentication,
  "23": (facts) => new SqlError.ConstraintError(facts),
  "23505": (facts) => new SqlError.UniqueViolation({ ...facts, constraint: constraintOf(facts.cause) }),
  "25P03": connection,
  "40001": (facts) => new SqlError.SerializationError(facts),
  "40P01": (facts) => new SqlError.DeadlockError(facts),
  "42": (facts) => new SqlError.SqlSyntaxError(facts),
  "42501": (facts) => new SqlError.AuthorizationError(facts),
  "53300": connection,
  "55P03": (facts) => new SqlError.LockTimeoutError(facts),
  "57014": (facts) => new SqlError.StatementTimeoutError(facts),
  "57P01": connection,
  "57P02": connection,
  "57P03": connection,
  "57P05": connection
}

/** The SQLSTATE of the server, or the code of Node. */
const codeOf = (cause: unknown): string =>
  cause instanceof AggregateError
    ? codeOf(cause.errors[0])
    : hasProperty(cause, "code") && typeof cause.code === "string"
    ? cause.code
    : ""

const messageOf = (cause: unknown): string =>
  cause instanceof AggregateError ? messageOf(cause.errors[0]) : cause instanceof Error ? cause.message : String(cause)

/** A statement that the server rejected, or that lost its connection. */
export const ofStatement = (cause: unknown, operation: string): SqlError.SqlError => {
  if (SqlError.isSqlError(cause)) return cause
  const code = codeOf(cause)
  if (cause instanceof DatabaseError) {
    const reason = reasons[code] ?? reasons[code.slice(0, 2)] ?? unknown
    return new SqlError.SqlError({ reason: reason({ cause, message: `${messageOf(cause)} (${code})`, operation }) })
  }
  const isLost = code !== "" || /terminated|not queryable/.test(messageOf(cause))
  return new SqlError.SqlError({
    reason: (isLost ? connection : unknown)({ cause, message: messageOf(cause), operation })
  })
}

export const lost = (detail: string, operation: string, cause: unknown = new Error(detail)): SqlError.SqlError =>
  new SqlError.SqlError({ reason: connection({ cause, message: detail, operation }) })

/** A statement that comes when its borrower has returned the connection: it might run in the transaction of another caller. */
export const returned = (operation: string): SqlError.SqlError =>
  rejected(
    "The connection of this statement was returned before. Run it while its transaction, or the scope of `reserve`, is open",
    operation
  )

/** A statement that is wrong as it is. */
export const rejected = (message: string, operation: string, cause: unknown = new Error(message)): SqlError.SqlError =>
  new SqlError.SqlError({ reason: unknown({ cause, message, operation }) })

/** What a connection was opened with, for its errors. */
interface Attempt {
  readonly address: Address
  readonly user: string
  readonly database: string
}

type Advice = (attempt: Attempt, server: string) => string

/** What to do about a connection that does not open, by the code of its error. */
const advice: Readonly<Record<string, Advice>> = {
  "28P01": ({ user }, server) =>
    `${server} rejected the password of the user "${user}". Check the options \`user\` and \`password\`.`,
  "28000": ({ user }, server) =>
    `${server} does not admit the user "${user}". Check the option \`user\`, and pg_hba.conf of the server.`,
  "3D000": ({ database }, server) =>
    `${server} has no database "${database}". Create it, or correct the option \`database\`.`,
  "42501": ({ database, user }, server) =>
    `${server} does not let the user "${user}" connect to the database "${database}". Grant CONNECT to it.`,
  "53300": (_, server) =>
    `${server} has no connection left. Lower the option \`max\`, or raise max_connections of the server.`,
  "57P03": (_, server) => `${server} is starting up or shutting down. Try again.`,
  ECONNREFUSED: (_, server) =>
    `Nothing listens at ${server}. Check the options \`host\` and \`port\`, and whether PostgreSQL runs.`,
  ENOENT: (_, server) =>
    `There is no socket at ${server}. Check the options \`host\` and \`port\`, and whether PostgreSQL runs.`,
  ENOTFOUND: ({ address }) => `The host name ${address.host} has no address. Check the option \`host\`.`,
  EAI_AGAIN: ({ address }) => `The name server did not answer for ${address.host}. Check the network.`
}

/** A connection that does not open. */
export const ofConnect = (cause: unknown, attempt: Attempt): SqlError.SqlError => {
  if (SqlError.isSqlError(cause)) return cause
  const server = nameOf(attempt.address)
  const code = codeOf(cause)
  const known = advice[code]
  const sent = messageOf(cause)
  const message = known === undefined
    ? `No connection to ${server}: ${sent}${code === "" || sent.includes(code) ? "" : ` (${code})`}`
    : cause instanceof DatabaseError
    ? `${known(attempt, server)} The server's words: ${sent} (${code})`
    : known(attempt, server)
  const reason = cause instanceof DatabaseError ? reasons[code] ?? reasons[code.slice(0, 2)] ?? unknown : connection
  return new SqlError.SqlError({ reason: reason({ cause, message, operation: "connect" }) })
}

/** The server asks for a password, and there is none. */
export const noPassword = ({ address, user }: Attempt): SqlError.SqlError => {
  const message = `${nameOf(address)} asks for a password of the user "${user}". Give the option \`password\`.`
  return new SqlError.SqlError({
    reason: authentication({ cause: new Error(message), message, operation: "connect" })
  })
}

/** The password cannot be looked up. */
export const ofCredential = (cause: Error): SqlError.SqlError =>
  new SqlError.SqlError({ reason: authentication({ cause, message: cause.message, operation: "connect" }) })
