/** What compresses idle conversations in memory. */
import * as Context from "effect/Context"
import type { Codec } from "./packing.ts"

/** Without one, conversations stay as they are. */
export const Compression: Context.Reference<Codec | undefined> = Context.Reference("@clawback/agent/Compression", {
  defaultValue: (): Codec | undefined => undefined
})
