/**
 * Tells when an object was lost: nothing refers to it any more, so nobody can do with it what had to be done.
 *
 * The default asks the garbage collector, which answers late, or never if memory is plentiful: it is evidence, and no
 * mechanism to rely on. A simulation provides one of its own.
 */
import * as Context from "effect/Context"
import * as Interop from "./internal/interop.ts"

export interface LeakProbe {
  /** Calls `onLost`, which must not refer to `target`, at most once, unless what it answers with is called before. */
  readonly watch: (target: object, onLost: () => void) => () => void
}

export const LeakProbe: Context.Reference<LeakProbe> = Context.Reference("@clawback/core/LeakProbe", {
  defaultValue: Interop.makeLeakProbe
})
