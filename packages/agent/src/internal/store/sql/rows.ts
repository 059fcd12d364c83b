/** The state of a conversation as the columns of a row. */
import { endsAt, type Live, type State } from "../machine.ts"
import type { Head } from "../model.ts"
import { operationsOf, operationsText } from "../operationLines.ts"
import { headOf, type Operation } from "../stored.ts"

/** In `ends_at`: never. */
export const never = Number.MAX_SAFE_INTEGER

export interface Row extends Readonly<Record<string, unknown>> {
  readonly id: string
  readonly now: number
  readonly subject: string | null
  readonly view_text: string
  readonly operations: string
}

/** Of `Live`, by the columns that have them. A tombstone has the position -1. */
const numbers = {
  incarnation: "incarnation",
  position: "log_end",
  trimmed: "trimmed",
  appends: "appends",
  viewVersion: "view_version",
  viewUpTo: "view_up_to",
  viewBytes: "view_bytes",
  fence: "fence",
  createdAt: "created_at",
  touchedAt: "touched_at",
  bytes: "bytes"
} as const

const optional = (value: unknown): number | undefined => value === null ? undefined : Number(value)

/** Drivers give large numbers as texts. */
export const stateOf = (row: Row): State => {
  const found = Object.fromEntries(
    Object.entries(numbers).map(([name, column]) => [name, Number(row[column])])
  ) as Record<keyof typeof numbers, number>
  if (found.position < 0) {
    return { _tag: "Removed", incarnation: found.incarnation, fence: found.fence, until: Number(row["ends_at"]) }
  }
  return {
    _tag: "Live",
    ...found,
    subject: row.subject ?? undefined,
    idle: optional(row["idle"]),
    absolute: optional(row["absolute"])
  }
}

export const operationsIn = (row: Row | undefined): ReadonlyArray<Operation> => operationsOf(row?.operations ?? "")

const whole = (value: number | undefined): number | null => value === undefined ? null : Math.ceil(value)

/** The values of all columns but the view's text, in the order of `columns`. */
export const valuesOf = (state: State, operations: ReadonlyArray<Operation>): ReadonlyArray<string | number | null> => {
  const live: Partial<Live> = state._tag === "Live" ? state : {}
  const given: Partial<Live> = {
    ...live,
    position: live.position ?? -1,
    incarnation: state.incarnation,
    fence: state.fence
  }
  return [
    ...Object.keys(numbers).map((name) => Math.floor(given[name as keyof typeof numbers] ?? 0)),
    whole(live.idle),
    whole(live.absolute),
    Math.min(never, Math.ceil(endsAt(state))),
    live.subject ?? null,
    operationsText(operations)
  ]
}

export const columns: ReadonlyArray<string> = [
  ...Object.values(numbers),
  "idle",
  "absolute",
  "ends_at",
  "subject",
  "operations"
]

export const headIn = (row: Row): Head | undefined => {
  const state = stateOf(row)
  return state._tag === "Live" && Number(row["ends_at"]) > row.now ? headOf(row.id, state) : undefined
}
