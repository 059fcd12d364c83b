/**
 * Our codecs read recorded traffic as the vendors' own SDKs do, and write it again as it was.
 *
 * `npm run prove -- recorded`: text, reasoning, calls, finish, usage and error class of each answer, also cut at random bytes,
 * are held against the SDK's. Requests and answers are decoded and encoded again, and held against the recorded JSON. It
 * prints each field that still differs, with the reason and how often, and fails if a difference has no reason. No reason
 * covers text, reasoning, calls, usage or an error's class. `CLAWBACK_DATA` names a folder with more recordings.
 * Its last line is JSON.
 */
import { exit } from "node:process"
import { seeded } from "../support/random.ts"
import { differencesOf } from "../support/recorded.ts"
import { reasonOf } from "../support/recordedReasons.ts"
import { recordings } from "../support/recordings.ts"

const random = seeded(0x5eed)
const all = recordings()

interface Entry {
  readonly protocol: string
  readonly of: string
  readonly field: string
  readonly reason: string
  count: number
}

const explained = new Map<string, Entry>()
const unexplained: Array<string> = []
let differing = 0

for (const [number, recording] of all.entries()) {
  const found = await differencesOf(recording, random).catch((error: unknown) => {
    unexplained.push(`recording ${number} of ${recording.vendor}: ${String(error)}`)
    return []
  })
  if (found.length > 0) differing++
  for (const difference of found) {
    const { after, before, field, of, protocol } = difference
    const reason = reasonOf(difference)
    if (reason === undefined) {
      const values = [before, after].map((value) => JSON.stringify(value)?.slice(0, 200)).join(" became ")
      unexplained.push(`recording ${number} of ${recording.vendor}, ${protocol}, ${of}, ${field}: ${values}`)
      continue
    }
    const key = JSON.stringify([protocol, of, field, reason])
    const entry = explained.get(key) ?? { protocol, of, field, reason, count: 0 }
    entry.count++
    explained.set(key, entry)
  }
}

const entries = [...explained.values()].toSorted((a, b) => b.count - a.count)
for (const { count, field, of, protocol, reason } of entries) {
  console.log(`${count} × ${protocol} ${of} ${field}: ${reason}`)
}
for (const fault of unexplained) console.error(`Not explained: ${fault}`)

const met = all.length > 0 && unexplained.length === 0
const count = entries.reduce((sum, entry) => sum + entry.count, 0)
console.log(
  JSON.stringify({
    name: "recorded",
    met,
    recordings: all.length,
    differing,
    explained: count,
    unexplained: unexplained.length
  })
)
exit(met ? 0 : 1)
