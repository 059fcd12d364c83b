/** The table: every program, and every pair of a program and a wrapper. */
import { clients, handlers, models, proxies, transports } from "./overHttp.ts"
import type { Program } from "./program.ts"
import { programs as asking } from "./programs/asking.ts"
import { programs as byHand } from "./programs/byHand.ts"
import { programs as fibers } from "./programs/fibers.ts"
import { programs as promises } from "./programs/promises.ts"
import { programs as proxying } from "./programs/proxying.ts"
import { programs as scopes } from "./programs/scopes.ts"
import { programs as serving } from "./programs/serving.ts"
import { programs as streams } from "./programs/streams.ts"
import { programs as talking } from "./programs/talking.ts"
import { programs as time } from "./programs/time.ts"
import { aroundWork, type Wrapper } from "./wrappers.ts"

export interface Pair {
  readonly program: Program
  readonly wrapper: Wrapper
}

export const programs: ReadonlyArray<Program> = [
  ...streams,
  ...time,
  ...fibers,
  ...scopes,
  ...serving,
  ...asking,
  ...talking,
  ...proxying,
  ...byHand,
  ...promises
]

const twice = programs.find(({ name }, i) => programs.findIndex((other) => other.name === name) < i)
if (twice !== undefined) throw new Error(`Two programs are called: ${twice.name}`)

const wrappers: ReadonlyArray<Wrapper> = [...aroundWork, ...handlers, ...transports, ...clients, ...models, ...proxies]

export const pairs: ReadonlyArray<Pair> = programs.flatMap((program) =>
  wrappers.filter(({ connections, forms }) => forms.includes(program.form) && program.atOnce <= connections).map((
    wrapper
  ) => ({ program, wrapper }))
)
