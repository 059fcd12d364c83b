/**
 * Our codecs read other forms of recorded traffic as the vendors' own SDKs do: forms that servers of other vendors send, and
 * that clients of other vendors write.
 *
 * `npm run prove -- recordedVariants`: the forms are made out of the recordings, and held against the SDKs as by the proof
 * `recorded`. It prints each form and how often it was made, and fails if a difference has no reason. Its last line is JSON.
 */
import { exit } from "node:process"
import { seeded } from "../support/random.ts"
import { differencesOf } from "../support/recorded.ts"
import { reasonOf } from "../support/recordedReasons.ts"
import { variants } from "../support/recordedVariants.ts"
import { recordings } from "../support/recordings.ts"

const random = seeded(0x5eed)
const made = new Map<string, number>()
const unexplained = new Map<string, { count: number; readonly example: string }>()

const add = (key: string, example: string): void => {
  const known = unexplained.get(key)
  if (known === undefined) unexplained.set(key, { count: 1, example })
  else known.count++
}

for (const [number, recording] of recordings().entries()) {
  for (const { name, of } of variants) {
    const variant = of(recording, random)
    if (variant === undefined) continue
    const key = `${recording.protocol}, ${name}`
    made.set(key, (made.get(key) ?? 0) + 1)
    const place = `recording ${number} of ${recording.vendor}`
    const found = await differencesOf(variant, random).catch((error: unknown) => {
      add(`${key}: crash`, `${place}: ${error instanceof Error ? error.stack : String(error)}`)
      return []
    })
    for (const difference of found) {
      if (reasonOf(difference) !== undefined) continue
      const values = [difference.before, difference.after].map((value) => JSON.stringify(value)?.slice(0, 200))
      add(`${key}: ${difference.of} ${difference.field}`, `${place}: ${values.join(" became ")}`)
    }
  }
}

for (const [name, count] of made) console.log(`${count} × ${name}`)
for (const [key, { count, example }] of unexplained) console.error(`Not explained: ${count} × ${key}, as in ${example}`)

const total = [...made.values()].reduce((sum, count) => sum + count, 0)
const met = total > 0 && unexplained.size === 0
console.log(
  JSON.stringify({ name: "recordedVariants", met, forms: made.size, variants: total, unexplained: unexplained.size })
)
exit(met ? 0 : 1)
