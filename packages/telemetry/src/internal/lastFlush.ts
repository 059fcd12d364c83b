import * as Duration from "effect/Duration"

/** How long the last flush may take. It is less than the default limit of the shutdown's phase `interrupt`, 3 seconds. */
export const lastFlush = Duration.seconds(2)
