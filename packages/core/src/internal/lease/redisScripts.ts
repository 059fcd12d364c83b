/**
 * The steps of a store in Redis: the machine, in Lua. Each runs as a whole, by the server's clock.
 *
 * A key is a hash. Its field `token` has the highest token, and a field for each holder, `h` and the id, has token, expiry, time to
 * live and name. Redis forgets the key a minute after the last lease has expired. Until then, a clock that is set back does not
 * lower the tokens.
 */
import * as Redis from "effect/persistence/Redis"

const begin = `
local key = KEYS[1]
local time = redis.call('TIME')
local micros = time[1] * 1000000 + time[2]
local now = math.floor(micros / 1000)
local token, count, first, last = 0, 0, math.huge, 0
local own = nil
local all = redis.call('HGETALL', key)
for i = 1, #all, 2 do
  local field, value = all[i], all[i + 1]
  if field == 'token' then
    token = tonumber(value)
  else
    local t, at, ttl, holder = string.match(value, '^(%d+) (%d+) (%d+) (.*)$')
    at, ttl = tonumber(at), tonumber(ttl)
    if at <= now then
      redis.call('HDEL', key, field)
    else
      if at > now + ttl then
        at = now + ttl
        redis.call('HSET', key, field, string.format('%s %.0f %.0f %s', t, at, ttl, holder))
      end
      count = count + 1
      first = math.min(first, at)
      last = math.max(last, at)
      if field == 'h' .. ARGV[1] then own = { token = tonumber(t), at = at, ttl = ttl, holder = holder } end
    end
  end
end
local function hold(held)
  redis.call('HSET', key, 'h' .. ARGV[1], string.format('%.0f %.0f %.0f %s', held.token, held.at, held.ttl, held.holder))
  last = math.max(last, held.at)
end
local function prolong(ttl)
  if now + ttl > own.at then
    own.at, own.ttl = now + ttl, ttl
  end
  hold(own)
end
local function keep()
  redis.call('PEXPIRE', key, string.format('%.0f', math.max(last - now, 0) + 60000))
end
`

/**
 * A server that has just been started may have lost leases, whatever it keeps on its disk. It reports
 * its uptime as a difference of whole seconds, which can be almost one too many, so one less is believed. A server that does not
 * allow its information to be read is taken for one that has been up for long.
 */
const up = `
local up = math.huge
local server = redis.pcall('INFO', 'server')
if type(server) == 'string' then
  up = math.max((tonumber(string.match(server, 'uptime_in_seconds:(%d+)')) or math.huge) - 1, 0) * 1000
end
`

/** Returns a token or -1, when to ask again, and the moment and the uptime that it has judged by. */
const acquireLua = `${begin}
local limit, ttl = tonumber(ARGV[2]), tonumber(ARGV[3])
if own then
  prolong(ttl)
  keep()
  return { own.token, 0, micros, -1 }
end
if count >= limit then return { -1, first - now, micros, -1 } end
${up}
local seen = up == math.huge and -1 or up
if up < ttl then return { -1, ttl - up, micros, seen } end
token = math.max(token + 1, micros)
redis.call('HSET', key, 'token', string.format('%.0f', token))
hold({ token = token, at = now + ttl, ttl = ttl, holder = ARGV[4] })
keep()
return { token, 0, micros, seen }
`

/** Returns whether it was renewed, and the moment. */
const renewLua = `${begin}
if not own or own.token ~= tonumber(ARGV[2]) then return { 0, micros } end
prolong(tonumber(ARGV[3]))
keep()
return { 1, micros }
`

/** Returns whether there was anything, and the moment. An empty token stands for any. */
const releaseLua = `${begin}
if not own or (ARGV[2] ~= '' and own.token ~= tonumber(ARGV[2])) then return { 0, micros } end
redis.call('HDEL', key, 'h' .. ARGV[1])
return { 1, micros }
`

export const acquire = Redis.script(
  (key: string, id: string, limit: number, ttl: number, holder: string) => [key, id, limit, ttl, holder],
  { lua: acquireLua, numberOfKeys: 1 }
).withReturnType<readonly [token: number, retryIn: number, micros: number, up: number]>()

export const renew = Redis.script(
  (key: string, id: string, token: number, ttl: number) => [key, id, token, ttl],
  { lua: renewLua, numberOfKeys: 1 }
).withReturnType<readonly [isRenewed: number, micros: number]>()

export const release = Redis.script(
  (key: string, id: string, token: number | undefined) => [key, id, token ?? ""],
  { lua: releaseLua, numberOfKeys: 1 }
).withReturnType<readonly [wasHeld: number, micros: number]>()

/** Returns id, token, milliseconds to the expiry and name of each holder, one after the other. */
export const holders = Redis.script((key: string) => [key, ""], {
  lua: `
local time = redis.call('TIME')
local now = math.floor((time[1] * 1000000 + time[2]) / 1000)
local all = redis.call('HGETALL', KEYS[1])
local found = {}
for i = 1, #all, 2 do
  if all[i] ~= 'token' then
    local t, at, ttl, holder = string.match(all[i + 1], '^(%d+) (%d+) (%d+) (.*)$')
    local left = math.min(tonumber(at) - now, tonumber(ttl))
    if left > 0 then
      for _, value in ipairs({ string.sub(all[i], 2), t, string.format('%.0f', left), holder }) do
        found[#found + 1] = value
      end
    end
  end
end
return found
`,
  numberOfKeys: 1
}).withReturnType<ReadonlyArray<string>>()
