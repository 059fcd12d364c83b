import * as Duration from "effect/Duration"

/** How long the last flush may take: less than the 3 seconds that a shutdown's phase `interrupt` allows, by default, for all of it. */
export const lastFlush = Duration.seconds(2)
