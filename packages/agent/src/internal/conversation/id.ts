import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

/** 96 random bits, as hexadecimal digits. */
export const newId: Effect.Effect<string> = Effect.withFiber((fiber) => {
  const random = fiber.getRef(Random.Random)
  const part = () => Math.floor(random.nextDoubleUnsafe() * 2 ** 32).toString(16).padStart(8, "0")
  return Effect.succeed(part() + part() + part())
})
