"""What Redis runs for answers, each in one step. KEYS: what all names of keys begin with, so that they lie on one node of a cluster."""

from __future__ import annotations

__all__ = [
    "ANNOUNCE",
    "BROWSE",
    "CHOSEN",
    "DROP",
    "FETCH",
    "HELD",
    "HITS",
    "JUDGE",
    "JUDGED",
    "JUDGEMENTS",
    "NEWS",
    "SCAN_JUDGED",
    "SWAP_JUDGED",
    "TIDY",
    "UNLEARN",
    "VECTORS",
    "WORDED",
    "WRITE",
]

_LET_GO = """
local P = KEYS[1]
local function let_go(key)
  local about = redis.call('HGET', P .. 'about', key)
  redis.call('DEL', P .. 'e:' .. key)
  redis.call('ZREM', P .. 'used', key)
  redis.call('ZREM', P .. 'until', key)
  redis.call('ZREM', P .. 'made', key)
  if about then
    local size, group = string.match(about, '^(%d+)\\n([^\\n]*)\\n')
    redis.call('HDEL', P .. 'about', key)
    redis.call('DECRBY', P .. 'bytes', size)
    if group ~= '' then redis.call('SREM', P .. 'g:' .. group, key) end
    return 1
  end
  return 0
end
"""

WRITE = (
    _LET_GO
    + """
local known, most, now = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
if tonumber(redis.call('GET', P .. 'removed') or 0) > known then return {0, 0} end
local number = redis.call('INCR', P .. 'written')
for i = 5, #ARGV, 7 do
  local key, size, ends, made, group = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], ARGV[i + 4]
  let_go(key)
  redis.call('SET', P .. 'e:' .. key, ARGV[i + 6])
  redis.call('PEXPIREAT', P .. 'e:' .. key, ends)
  redis.call('HSET', P .. 'about', key, size .. '\\n' .. group .. '\\n' .. ARGV[i + 5])
  redis.call('ZADD', P .. 'used', now, key)
  redis.call('ZADD', P .. 'until', ends, key)
  redis.call('ZADD', P .. 'made', made, key)
  redis.call('ZADD', P .. 'hits', 'NX', 0, key)
  redis.call('INCRBY', P .. 'bytes', size)
  if group ~= '' then redis.call('SADD', P .. 'g:' .. group, key) end
end
redis.call('XADD', P .. 'log', 'MAXLEN', '~', 2000, number .. '-0', 'd', ARGV[4])
local bytes, gone = tonumber(redis.call('GET', P .. 'bytes') or 0), 0
while bytes > most do
  local oldest = redis.call('ZRANGE', P .. 'used', 0, 19)
  if #oldest == 0 then break end
  for _, key in ipairs(oldest) do
    let_go(key)
    redis.call('ZREM', P .. 'hits', key)
    gone = gone + 1
    bytes = tonumber(redis.call('GET', P .. 'bytes') or 0)
    if bytes <= most then break end
  end
end
return {number, gone}
"""
)
"""ARGV: the last removal that the node knows of, most bytes, now (ms), what is told of the batch, then for each entry key, size, until (ms), made (negative),
group, what it is chosen by, all of it. Returns the batch's number (0: there was a later removal) and how many went for want of room."""

FETCH = """
local names = {}
for i = 1, #ARGV do names[i] = KEYS[1] .. 'e:' .. ARGV[i] end
return redis.call('MGET', unpack(names))
"""

DROP = (
    _LET_GO
    + """
for i = 1, #ARGV do
  let_go(ARGV[i])
  redis.call('ZREM', P .. 'hits', ARGV[i])
end
return 1
"""
)

HITS = """
local P = KEYS[1]
for i = 1, #ARGV, 3 do
  local used = redis.call('ZSCORE', P .. 'used', ARGV[i])
  if used then
    redis.call('ZINCRBY', P .. 'hits', -ARGV[i + 1], ARGV[i])
    if tonumber(used) < tonumber(ARGV[i + 2]) then redis.call('ZADD', P .. 'used', ARGV[i + 2], ARGV[i]) end
  end
end
return 1
"""
"""ARGV: key, how often, when last (ms), and so on."""

ANNOUNCE = """
local P = KEYS[1]
local number = redis.call('INCR', P .. 'removed')
redis.call('XADD', P .. 'removals', number .. '-0', 'at', redis.call('TIME')[1], 'd', ARGV[1])
return number
"""

NEWS = """
local P = KEYS[1]
local removed, written = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = tonumber(redis.call('GET', P .. 'removed') or 0)
local batch = tonumber(redis.call('GET', P .. 'written') or 0)
local floor = tonumber(redis.call('GET', P .. 'floor') or 0)
local removals, entries = {}, {}
if removed < last then removals = redis.call('XRANGE', P .. 'removals', (removed + 1) .. '-0', '+') end
if written >= 0 and written < batch then
  entries = redis.call('XRANGE', P .. 'log', (written + 1) .. '-0', '+', 'COUNT', 20)
end
return {last, batch, floor, removals, entries}
"""
"""ARGV: the last removal and the last batch that are known."""

CHOSEN = "return redis.call('HSCAN', KEYS[1] .. 'about', ARGV[1], 'COUNT', 200)"

VECTORS = """
local P = KEYS[1]
local found = redis.call('SSCAN', P .. 'g:' .. ARGV[1], ARGV[2], 'COUNT', 500)
local rows = {}
for _, key in ipairs(found[2]) do
  local name = P .. 'e:' .. key
  local size = tonumber(redis.call('GETRANGE', name, 0, 7))
  if size and size > 0 then
    rows[#rows + 1] = key
    rows[#rows + 1] = redis.call('GETRANGE', name, 8, 7 + size)
  end
end
return {found[1], rows}
"""

BROWSE = """
local P = KEYS[1]
local first = 0
if ARGV[2] ~= '' then
  local rank = redis.call('ZRANK', P .. ARGV[1], ARGV[2])
  if not rank then return {} end
  first = rank + 1
end
local rows = {}
for _, key in ipairs(redis.call('ZRANGE', P .. ARGV[1], first, first + 99)) do
  rows[#rows + 1] = key
  rows[#rows + 1] = redis.call('ZSCORE', P .. 'hits', key) or '0'
  rows[#rows + 1] = redis.call('ZSCORE', P .. 'used', key) or '0'
  rows[#rows + 1] = redis.call('GET', P .. 'e:' .. key) or ''
end
return rows
"""
"""ARGV: by what (`hits`, `made`), the last key of the page before."""

HELD = "return {redis.call('HLEN', KEYS[1] .. 'about'), redis.call('GET', KEYS[1] .. 'bytes') or '0'}"

TIDY = (
    _LET_GO
    + """
local over = redis.call('ZRANGEBYSCORE', P .. 'until', '-inf', ARGV[1], 'LIMIT', 0, 200)
for _, key in ipairs(over) do
  let_go(key)
  redis.call('ZREM', P .. 'hits', key)
end
local now = tonumber(redis.call('TIME')[1])
for _, told in ipairs(redis.call('XRANGE', P .. 'removals', '-', '+', 'COUNT', 100)) do
  if now - tonumber(told[2][2]) < tonumber(ARGV[2]) then break end
  redis.call('XDEL', P .. 'removals', told[1])
  redis.call('SET', P .. 'floor', string.match(told[1], '^(%d+)'))
end
redis.call('ZREMRANGEBYRANK', P .. 'judged', 0, -1 - tonumber(ARGV[3]))
redis.call('ZREMRANGEBYSCORE', P .. 'judged', '-inf', ARGV[4])
return #over
"""
)
"""ARGV: now (ms), seconds for which removals are told, how many judgements are kept, and from when on."""

JUDGE = """
local P = KEYS[1]
for i = 3, #ARGV, 4 do
  local list = P .. 'j:' .. ARGV[i]
  redis.call('RPUSH', list, ARGV[i + 1])
  redis.call('LTRIM', list, -tonumber(ARGV[1]), -1)
  redis.call('EXPIRE', list, ARGV[2])
  redis.call('ZADD', P .. 'judged', ARGV[i + 2], ARGV[i + 1])
  if ARGV[i + 3] == '1' then redis.call('ZADD', P .. 'worded', ARGV[i + 2], ARGV[i + 1]) end
end
return 1
"""
"""ARGV: how many of one entry are kept, and for how many seconds; then for each key, judgement, when (ns), does it quote?"""

JUDGEMENTS = """
local found = {}
for i = 1, #ARGV do found[i] = redis.call('LRANGE', KEYS[1] .. 'j:' .. ARGV[i], 0, -1) end
return found
"""

JUDGED = "return redis.call('ZREVRANGEBYSCORE', KEYS[1] .. 'judged', '+inf', ARGV[1], 'LIMIT', ARGV[2], 200)"

SCAN_JUDGED = "return redis.call('ZSCAN', KEYS[1] .. 'judged', ARGV[1], 'COUNT', 500)"

UNLEARN = """
local P = KEYS[1]
for i = 1, #ARGV, 2 do
  redis.call('LREM', P .. 'j:' .. ARGV[i], 0, ARGV[i + 1])
  redis.call('ZREM', P .. 'judged', ARGV[i + 1])
  redis.call('ZREM', P .. 'worded', ARGV[i + 1])
end
return 1
"""
"""ARGV: key and judgement, and so on."""

WORDED = "return redis.call('ZRANGEBYSCORE', KEYS[1] .. 'worded', '-inf', ARGV[1], 'LIMIT', 0, 100)"

SWAP_JUDGED = """
local P = KEYS[1]
for i = 1, #ARGV, 3 do
  local list, before, after = P .. 'j:' .. ARGV[i], ARGV[i + 1], ARGV[i + 2]
  redis.call('LINSERT', list, 'BEFORE', before, after)
  redis.call('LREM', list, 0, before)
  local at = redis.call('ZSCORE', P .. 'judged', before)
  if at then
    redis.call('ZREM', P .. 'judged', before)
    redis.call('ZADD', P .. 'judged', at, after)
  end
  redis.call('ZREM', P .. 'worded', before)
end
return 1
"""
"""ARGV: key, a judgement, and what it becomes; and so on."""
