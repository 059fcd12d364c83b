/**
 * Notices that an object was lost: nothing refers to it any more, so no code can release what it holds.
 *
 * The default uses the garbage collector. It reports late, or never if memory is plentiful. Do not rely on it to release
 * anything. A simulation provides its own.
 *
 * @experimental
 */

import * as Context from "effect/Context"
import * as Interop from "./internal/interop.ts"
import type { LeakProbe as Probe } from "./internal/session/model.ts"

export interface LeakProbe extends Probe {}

export const LeakProbe: Context.Reference<LeakProbe> = Context.Reference("@clawback/core/LeakProbe", {
  defaultValue: (): LeakProbe => Interop.makeLeakProbe()
})
