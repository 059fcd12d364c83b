/** What Redis does to the index of a subject. */
import { Code, script } from "./script.ts"

/**
 * Adds a conversation to the index of its subject, a sorted set by when that was last done. The key is the index. Arguments:
 * conversation, how long it is kept (or -1).
 */
export const index = script(`
local isNew = redis.call('EXISTS', key) == 0
local at = time[1] * 1000000 + time[2]
local before = tonumber(redis.call('ZSCORE', key, ARGV[1]) or 0)
redis.call('ZADD', key, string.format('%.0f', math.max(at, before + 1)), ARGV[1])
local keep = tonumber(ARGV[2])
if keep < 0 then
  redis.call('PERSIST', key)
else
  local left = redis.call('PTTL', key)
  if isNew or (left >= 0 and left < keep) then redis.call('PEXPIRE', key, ARGV[2]) end
end
return { ${Code.done} }
`)

/**
 * Removes a conversation from the index of its subject, if it was not added again. Arguments: conversation, its score, for how
 * long it must have been there, since one that is being begun is added first.
 */
export const unindex = script(`
local score = redis.call('ZSCORE', key, ARGV[1])
if score and tonumber(score) == tonumber(ARGV[2]) and score + ARGV[3] * 1000 <= time[1] * 1000000 + time[2] then
  redis.call('ZREM', key, ARGV[1])
end
return { ${Code.done} }
`)
