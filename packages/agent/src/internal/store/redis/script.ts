/**
 * What all scripts begin with, and how they answer.
 *
 * A conversation is one hash, so that it expires, moves and is evicted as a whole:
 * - `m`: its state, as a MessagePack array of numbers (`stateNames`). `position` is -1 for a tombstone. -1 stands for "none".
 * - `s`: its subject. `v`: the text of its view. `e1`, `e2`, …: its entries.
 * - `o`: the ids of its newest appends, each as id, digest and position with tabs between them, on a line of its own.
 */
import * as Redis from "effect/persistence/Redis"

/** The layout that these scripts write, and the oldest that can read it. */
export const layout = { version: 1, oldest: 1 }

/** The numbers of a state, in the order of the array `m`. In Lua, they count from 1. */
export const stateNames = [
  "version",
  "oldest",
  "incarnation",
  "position",
  "trimmed",
  "appends",
  "viewVersion",
  "viewUpTo",
  "viewBytes",
  "fence",
  "createdAt",
  "touchedAt",
  "idle",
  "absolute",
  "bytes",
  "hasSubject"
] as const

/** How a script answers. */
export const Code = {
  done: 0,
  duplicate: 1,
  mismatch: 2,
  stale: 3,
  conflict: 4,
  tooLarge: 5,
  newer: 6,
  absent: 7,
  unindexed: 8
} as const

const prelude = `
local key = KEYS[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local function state(packed)
  local m = packed and cmsgpack.unpack(packed)
  if m and m[2] > ${layout.version} then return m, true end
  return m, false
end
local function isLive(m) return m and m[4] >= 0 end
local function conflict(what, m)
  if not m then return { ${Code.conflict}, what, 0, 0 } end
  return { ${Code.conflict}, what, m[3], math.max(m[4], 0) }
end
local function expire(m, had)
  local at = math.huge
  if m[13] >= 0 then at = m[12] + m[13] end
  if m[14] >= 0 then at = math.min(at, m[11] + m[14]) end
  if at < math.huge then redis.call('PEXPIREAT', key, string.format('%.0f', at)); return at end
  if had then redis.call('PERSIST', key) end
  return -1
end
local function canExpire(m) return m[13] >= 0 or m[14] >= 0 end
local function set(fields)
  for i = 1, #fields, 1000 do redis.call('HSET', key, unpack(fields, i, math.min(i + 999, #fields))) end
end
local function entries(first, last)
  local found = {}
  for i = first, last, 1000 do
    local names = {}
    for position = i, math.min(i + 999, last) do names[#names + 1] = 'e' .. string.format('%.0f', position) end
    for _, text in ipairs(redis.call('HMGET', key, unpack(names))) do found[#found + 1] = text end
  end
  return found
end
`

type Args = ReadonlyArray<string | number>

export type Script = ReturnType<typeof script>

export const script = (lua: string) =>
  Redis.script((key: string, args: Args) => [key, ...args], { numberOfKeys: 1, lua: prelude + lua })
    .withReturnType<ReadonlyArray<any>>()
