/** The options of stores in memory. */
import * as OptionCheck from "@clawback/core/OptionCheck"
import * as Duration from "effect/Duration"
import type { MemoryLimits } from "./memory.ts"
import type { ConversationStore } from "./port.ts"

export interface MemoryOptions {
  /**
   * Bytes that all conversations together may have. Default: 256 MiB. Those that were not used for longest go first. Too low,
   * and conversations in use are forgotten; too high, and the process runs out of memory.
   */
  readonly maxTotalBytes?: number | undefined
  /**
   * How many conversations there may be. Default: 100,000. Too low and too high: as above. Tombstones count.
   */
  readonly maxConversations?: number | undefined
  /**
   * Bytes that one conversation may have, by its entries and its view in UTF-8. Default: 8 MiB. Too low, and appends to long
   * conversations fail with `TooLarge`; too high, and one conversation can displace all others.
   */
  readonly maxBytes?: number | undefined
  /**
   * How long after its last use a conversation is compressed, if there is a `Compression`. Default: 1 minute. Too low, and
   * conversations in use are compressed again and again; too high, and memory is wasted.
   */
  readonly compressAfter?: Duration.Input | undefined
  /**
   * How long a removed conversation refuses late changes. Default: 1 day. Too low, and a delayed append revives a removed
   * conversation; too high, and names of removed conversations take memory.
   */
  readonly tombstone?: Duration.Input | undefined
  /**
   * How often a part of the conversations is looked at, to delete what has expired and to compress what is idle. All are looked
   * at within 60 times that. Default: 1 second. Too low, and it takes CPU; too high, and memory is released late.
   */
  readonly sweepInterval?: Duration.Input | undefined
  /**
   * A store behind this one. Conversations that were not used for longest move there, and come back when they are used. In the
   * phase `persist` of a shutdown, and when the layer closes, all are saved there. Only one process may use it. Default: none.
   */
  readonly second?: ConversationStore | undefined
}

const millis = (name: string, value: Duration.Input) => Duration.toMillis(OptionCheck.duration(name, value))

export const limitsOf = (options: MemoryOptions): MemoryLimits => {
  const maxTotalBytes = OptionCheck.count("maxTotalBytes", options.maxTotalBytes ?? 256 * 1024 * 1024, 1024)
  return {
    maxTotalBytes,
    maxConversations: OptionCheck.count("maxConversations", options.maxConversations ?? 100_000, 1),
    maxBytes: OptionCheck.count("maxBytes", options.maxBytes ?? Math.min(8 * 1024 * 1024, maxTotalBytes), 1),
    compressAfter: millis("compressAfter", options.compressAfter ?? "1 minute"),
    tombstone: millis("tombstone", options.tombstone ?? "1 day")
  }
}

export const sweepIntervalOf = (options: MemoryOptions): Duration.Duration =>
  OptionCheck.interval("sweepInterval", options.sweepInterval ?? "1 second")
