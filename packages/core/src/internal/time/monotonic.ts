import type * as Clock from "effect/Clock"

/** Milliseconds of the clock's monotonic time. Only differences mean anything. */
export const millis = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6
