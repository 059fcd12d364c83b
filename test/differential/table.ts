/** The table: every program, and every pair of one with what it is wrapped in. */
import type { Program } from "./program.ts"
import { programs as fibers } from "./programs/fibers.ts"
import { programs as scopes } from "./programs/scopes.ts"
import { programs as streams } from "./programs/streams.ts"
import { programs as time } from "./programs/time.ts"
import { type Wrapper, wrappers } from "./wrappers.ts"

export interface Pair {
  readonly program: Program
  readonly wrapper: Wrapper
}

export const programs: ReadonlyArray<Program> = [...streams, ...time, ...fibers, ...scopes]

if (new Set(programs.map(({ name }) => name)).size < programs.length) throw new Error("Two programs have one name")

const applies = (wrapper: Wrapper, program: Program) => wrapper.around !== "stream" || program.form === "stream"

export const pairs: ReadonlyArray<Pair> = programs.flatMap((program) =>
  wrappers.filter((wrapper) => applies(wrapper, program)).map((wrapper) => ({ program, wrapper }))
)
