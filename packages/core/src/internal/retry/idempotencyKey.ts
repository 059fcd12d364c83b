import type * as Random from "effect/Random"

/** Makes a random UUID (RFC 9562, version 4). */
export const make = (random: (typeof Random.Random)["Service"]): string => {
  const hex = (digits: number) =>
    Math.floor(random.nextDoubleUnsafe() * 16 ** digits).toString(16).padStart(digits, "0")
  const variant = (8 + Math.floor(random.nextDoubleUnsafe() * 4)).toString(16)
  return `${hex(8)}-${hex(4)}-4${hex(3)}-${variant}${hex(3)}-${hex(12)}`
}
