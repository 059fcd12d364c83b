/**
 * What Redis does to a conversation: the machine of `machine.ts` once more, in Lua, since it must run at the server. Tests
 * compare both.
 */
import { rememberedOperations } from "../machine.ts"
import { Code, layout, script, stateNames } from "./script.ts"

/**
 * Arguments: operation, digest, incarnation, position, fence, idle, absolute, maxBytes, bytes, subject, whether the index of the
 * subject has the conversation (1), entries.
 */
export const append = script(`
local got = redis.call('HMGET', key, 'm', 'o')
local m, newer = state(got[1])
if newer then return { ${Code.newer} } end
local operations = got[2] or '\\n'
if isLive(m) then
  local _, last = string.find(operations, '\\n' .. ARGV[1] .. '\\t', 1, true)
  if last then
    local digest, position = string.match(operations, '^([^\\t]*)\\t(%d+)', last + 1)
    if digest == ARGV[2] then return { ${Code.duplicate}, m[3], tonumber(position) } end
    return { ${Code.mismatch} }
  end
end
local fence = tonumber(ARGV[5])
if m and fence >= 0 and fence < m[10] then return { ${Code.stale}, m[10] } end
local incarnation, position = tonumber(ARGV[3]), tonumber(ARGV[4])
if incarnation ~= (m and m[3] or 0) or position ~= (isLive(m) and m[4] or 0) then
  return conflict(isLive(m) and (incarnation == m[3] or incarnation == 0) and 'position' or 'removed', m)
end
local begins = not isLive(m)
local bytes = (begins and 0 or m[15]) + ARGV[9]
if bytes > tonumber(ARGV[8]) then return { ${Code.tooLarge}, bytes } end
if ARGV[10] ~= '' and ARGV[11] ~= '1' and (begins or m[16] == 0) then return { ${Code.unindexed} } end
local had = not begins and canExpire(m)
if begins then
  if m then redis.call('DEL', key) end
  local newest = math.max((m and m[3] or 0) + 1, time[1] * 1000000 + time[2])
  m = { ${layout.version}, ${layout.oldest}, newest, 0, 0, 0, 0, 0, 0, m and m[10] or 0, now, now, 0, 0, 0, 0 }
end
local fields = { 'm', '', 'o', '' }
if ARGV[10] ~= '' and m[16] == 0 then
  m[16] = 1
  fields[5] = 's'
  fields[6] = ARGV[10]
end
for i = 12, #ARGV do
  fields[#fields + 1] = 'e' .. string.format('%.0f', m[4] + i - 11)
  fields[#fields + 1] = ARGV[i]
end
m[4] = m[4] + #ARGV - 11
if m[6] >= ${rememberedOperations} then operations = string.sub(operations, (string.find(operations, '\\n', 2, true))) end
m[6] = m[6] + 1
m[10] = math.max(m[10], fence)
m[12] = math.max(m[12], now)
m[13] = tonumber(ARGV[6])
m[14] = tonumber(ARGV[7])
m[15] = bytes
fields[2] = cmsgpack.pack(m)
fields[4] = operations .. ARGV[1] .. '\\t' .. ARGV[2] .. '\\t' .. string.format('%.0f', m[4]) .. '\\n'
set(fields)
return { ${Code.done}, m[3], m[4], expire(m, had) }
`)

/** Arguments: from (or -1), whether it is touched (1), idle, absolute. */
export const load = script(`
local got = redis.call('HMGET', key, 'm', 's', 'v')
local m, newer = state(got[1])
if newer then return { ${Code.newer} } end
if not m then return { ${Code.absent} } end
if not isLive(m) then return { ${Code.done}, m, false, false, {}, 0, now + redis.call('PTTL', key) } end
if ARGV[2] == '1' then
  local had = canExpire(m)
  m[12] = math.max(m[12], now)
  m[13] = tonumber(ARGV[3])
  m[14] = tonumber(ARGV[4])
  redis.call('HSET', key, 'm', cmsgpack.pack(m))
  expire(m, had)
end
local from = tonumber(ARGV[1])
if from < 0 then from = m[8] end
from = math.min(math.max(from, m[5]), m[4])
return { ${Code.done}, m, got[2], got[3], entries(from + 1, m[4]), from }
`)

/** Arguments: incarnation, version, upTo, text, bytes, fence, maxBytes. */
export const setView = script(`
local m, newer = state(redis.call('HGET', key, 'm'))
if newer then return { ${Code.newer} } end
if not isLive(m) or m[3] ~= tonumber(ARGV[1]) then return conflict('removed', m) end
local fence = tonumber(ARGV[6])
if fence >= 0 and fence < m[10] then return { ${Code.stale}, m[10] } end
if m[7] ~= tonumber(ARGV[2]) then return conflict('view', m) end
local upTo = tonumber(ARGV[3])
if upTo < m[8] or upTo > m[4] then return conflict('position', m) end
local bytes = m[15] - m[9] + ARGV[5]
if bytes > tonumber(ARGV[7]) and bytes > m[15] then return { ${Code.tooLarge}, bytes } end
m[7] = m[7] + 1
m[8] = upTo
m[9] = tonumber(ARGV[5])
m[10] = math.max(m[10], fence)
m[15] = bytes
redis.call('HSET', key, 'm', cmsgpack.pack(m), 'v', ARGV[4])
return { ${Code.done}, m[7] }
`)

/** Arguments: incarnation, upTo. */
export const trim = script(`
local m, newer = state(redis.call('HGET', key, 'm'))
if newer then return { ${Code.newer} } end
if not isLive(m) or m[3] ~= tonumber(ARGV[1]) then return { ${Code.done}, 0 } end
local first, last = m[5] + 1, math.min(tonumber(ARGV[2]), m[8])
if last < first then return { ${Code.done}, 0 } end
for position = first, last do
  local name = 'e' .. string.format('%.0f', position)
  m[15] = m[15] - redis.call('HSTRLEN', key, name)
  redis.call('HDEL', key, name)
end
m[5] = last
redis.call('HSET', key, 'm', cmsgpack.pack(m))
return { ${Code.done}, last - first + 1 }
`)

/** Arguments: incarnation (or -1), idleSince (or -1), how long the tombstone stays. Returns the subject. */
export const remove = script(`
local got = redis.call('HMGET', key, 'm', 's')
local m, newer = state(got[1])
if newer then return { ${Code.newer} } end
local incarnation, idleSince = tonumber(ARGV[1]), tonumber(ARGV[2])
if not isLive(m) or (incarnation >= 0 and incarnation ~= m[3]) or (idleSince >= 0 and m[12] > idleSince) then
  return { ${Code.absent} }
end
redis.call('DEL', key)
if tonumber(ARGV[3]) > 0 then
  local left = { ${layout.version}, ${layout.oldest}, m[3], -1, 0, 0, 0, 0, 0, m[10], 0, 0, 0, 0, 0, 0 }
  redis.call('HSET', key, 'm', cmsgpack.pack(left))
  redis.call('PEXPIREAT', key, string.format('%.0f', now + ARGV[3]))
end
return { ${Code.done}, got[2] }
`)

/** Returns everything. */
export const whole = script(`
local got = redis.call('HMGET', key, 'm', 's', 'v', 'o')
local m, newer = state(got[1])
if newer then return { ${Code.newer} } end
if not m then return { ${Code.absent} } end
if not isLive(m) then return { ${Code.done}, m, false, false, {}, false, now + redis.call('PTTL', key) } end
return { ${Code.done}, m, got[2], got[3], entries(m[5] + 1, m[4]), got[4] }
`)

/** Returns the state and the subject. */
export const head = script(`
local got = redis.call('HMGET', key, 'm', 's')
local m, newer = state(got[1])
if newer then return { ${Code.newer} } end
if not isLive(m) then return { ${Code.absent} } end
return { ${Code.done}, m, got[2] }
`)

const adopted = stateNames.length

/** Arguments: the state, when a tombstone ends, subject, view, operations, entries. */
export const adopt = script(`
local m, newer = state(redis.call('HGET', key, 'm'))
if newer then return { ${Code.newer} } end
local given = {}
for i = 1, ${adopted} do given[i] = tonumber(ARGV[i]) end
if m then
  local supersedes = given[3] > m[3]
  if given[3] == m[3] then
    supersedes = not isLive(given) or
      (isLive(m) and given[4] >= m[4] and given[7] >= m[7] and given[5] >= m[5] and given[12] >= m[12])
  end
  if not supersedes then return { ${Code.done}, 0 } end
end
redis.call('DEL', key)
redis.call('HSET', key, 'm', cmsgpack.pack(given))
if not isLive(given) then
  redis.call('PEXPIREAT', key, ARGV[${adopted + 1}])
  return { ${Code.done}, 1 }
end
local fields = { 'v', ARGV[${adopted + 3}], 'o', ARGV[${adopted + 4}] }
if given[16] == 1 then
  fields[5] = 's'
  fields[6] = ARGV[${adopted + 2}]
end
for i = ${adopted + 5}, #ARGV do
  fields[#fields + 1] = 'e' .. string.format('%.0f', given[5] + i - ${adopted + 4})
  fields[#fields + 1] = ARGV[i]
end
set(fields)
expire(given, false)
return { ${Code.done}, 1 }
`)
