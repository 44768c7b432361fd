"""What Redis runs for budgets in one step, by its own clock: nodes need not agree on the time.

- A pot is a hash: `s` nano-dollars spent, `r` reserved.
- Holds are a hash, attempt -> JSON `[nanos, keys of the pots, pots, holder]`, and a sorted set of the moments (microseconds) at
  which they are given up if nobody renews them.
- The marker is there once the pots have what the database knows; its value is the moment at which the database was read.
  Without it nothing is counted, and every script answers `{-1}`.
- For each node the number of the last settlement that was carried out. One that comes again is not carried out again, and
  what was asked before it and comes after it came too late: `{-2}`.

Amounts are compared as doubles, exact to 9 million dollars, and added as whole numbers of 64 bits.
"""

from __future__ import annotations

__all__ = ["ADD", "FILL", "FILLED", "LOCK", "ORPHANS", "RENEW", "RESERVE", "SETTLE", "STANDING"]

RESERVE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end
if tonumber(redis.call('GET', KEYS[2]) or 0) > tonumber(ARGV[1]) then return {-2} end
local nanos, reply, fresh = tonumber(ARGV[3]), {1}, {}
for i = 5, #KEYS do
  local row = redis.call('HMGET', KEYS[i], 's', 'r')
  local spent, reserved, most = row[1] or '0', row[2] or '0', tonumber(ARGV[2 * i - 4])
  if nanos > 0 and most >= 0 and tonumber(spent) + tonumber(reserved) + nanos > most then reply[1] = 0 end
  fresh[i] = not row[1] and not row[2]
  reply[#reply + 1] = spent
  reply[#reply + 1] = reserved
end
if reply[1] == 0 then return reply end
if redis.call('HSETNX', KEYS[3], ARGV[2], ARGV[5]) == 0 then return reply end
local time = redis.call('TIME')
redis.call('ZADD', KEYS[4], time[1] * 1000000 + time[2] + tonumber(ARGV[4]), ARGV[2])
for i = 5, #KEYS do
  redis.call('HINCRBY', KEYS[i], 'r', ARGV[3])
  if fresh[i] and ARGV[2 * i - 3] ~= '0' then redis.call('EXPIREAT', KEYS[i], ARGV[2 * i - 3]) end
end
return reply
"""
"""KEYS: marker, the node's last settlement, holds, leases, then the pots. ARGV: number of the last settlement sent before this,
attempt, nanos, microseconds of the lease, the hold as JSON, then for each pot most and when it may be forgotten (seconds, 0:
never). Returns 1 if it was set aside, else 0, then of each pot spent and reserved, before this."""

SETTLE = """
local filled = redis.call('GET', KEYS[1])
if not filled then return {-1} end
if tonumber(redis.call('GET', KEYS[2]) or 0) >= tonumber(ARGV[1]) then return {1} end
redis.call('SET', KEYS[2], ARGV[1], 'PX', 86400000)
local delta, back, known = ARGV[3], '0', redis.call('HDEL', KEYS[3], ARGV[2]) == 1
if known then
  redis.call('ZREM', KEYS[4], ARGV[2])
  if ARGV[4] ~= '0' then back = '-' .. ARGV[4] end
else
  local counted = redis.call('GETDEL', KEYS[5])
  if counted then
    delta = string.format('%.0f', tonumber(ARGV[3]) - tonumber(counted))
  else
    local time = redis.call('TIME')
    if time[1] * 1000000 + time[2] - tonumber(ARGV[5]) < tonumber(filled) - tonumber(ARGV[6]) then delta = '0' end
  end
end
local reply = {1}
for i = 6, #KEYS do
  reply[#reply + 1] = redis.call('HINCRBY', KEYS[i], 's', delta)
  reply[#reply + 1] = redis.call('HINCRBY', KEYS[i], 'r', back)
  if not known and ARGV[i + 1] ~= '0' then redis.call('EXPIREAT', KEYS[i], ARGV[i + 1]) end
end
return reply
"""
"""KEYS: marker, the node's last settlement, holds, leases, what was counted if it was given up, then the pots. ARGV: number of this
settlement, attempt, nanos, what was set aside, microseconds since it was over, microseconds in which it must have been in
the database before that was read, then for each pot when it may be forgotten. Returns of each pot spent and reserved, after
this; nothing if it had been carried out before.

What is not held any more and was not given up either was set aside in a Redis that has lost it: it counts as it is, unless
the database had it when it was read."""

RENEW = """
if redis.call('PEXPIRE', KEYS[1], ARGV[2]) == 0 then return {-1} end
local time = redis.call('TIME')
local moment, missing = time[1] * 1000000 + time[2] + tonumber(ARGV[1]), {1}
for i = 4, #ARGV do
  if redis.call('ZSCORE', KEYS[2], ARGV[i]) then
    redis.call('ZADD', KEYS[2], moment, ARGV[i])
  elseif redis.call('EXISTS', ARGV[3] .. ARGV[i]) == 0 then
    missing[#missing + 1] = ARGV[i]
  end
end
return missing
"""
"""KEYS: marker, leases. ARGV: microseconds of the lease, milliseconds for which the marker stays without a word, beginning of the keys
of what was given up, then attempts. Returns those that are not known here, and were not given up."""

ORPHANS = """
for i = 5, #ARGV do
  redis.call('ZREM', KEYS[3], ARGV[i])
  redis.call('HDEL', KEYS[4], ARGV[i])
end
local time = redis.call('TIME')
local now, found = time[1] * 1000000 + time[2], {}
local most = tonumber(ARGV[1])
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', now, 'LIMIT', 0, most)) do
  redis.call('ZADD', KEYS[3], now + tonumber(ARGV[3]), id)
  found[#found + 1] = redis.call('HGET', KEYS[4], id)
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, most - #found)) do
  redis.call('ZREM', KEYS[2], id)
  local text = redis.call('HGET', KEYS[1], id)
  if text then
    redis.call('HDEL', KEYS[1], id)
    local hold = cjson.decode(text)
    local nanos = string.format('%.0f', hold[1])
    for _, key in ipairs(nanos == '0' and {} or hold[2]) do
      redis.call('HINCRBY', key, 'r', '-' .. nanos)
      redis.call('HINCRBY', key, 's', nanos)
    end
    redis.call('SET', ARGV[2] .. id, nanos, 'PX', ARGV[4])
    redis.call('ZADD', KEYS[3], now + tonumber(ARGV[3]), id)
    redis.call('HSET', KEYS[4], id, text)
    found[#found + 1] = text
  end
end
return found
"""
"""KEYS: holds, leases, attempts given up with the moment at which they are handed out again, what they were. ARGV: how many at most,
beginning of the keys of what was given up, microseconds after which one is handed out again, milliseconds for which it is
kept that it was given up, then attempts that the asker has been handed before and has dealt with. Returns holds, as JSON."""

STANDING = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end
local reply = {1}
for i = 2, #KEYS do
  local row = redis.call('HMGET', KEYS[i], 's', 'r')
  reply[#reply + 1] = row[1] or '0'
  reply[#reply + 1] = row[2] or '0'
end
return reply
"""
"""KEYS: marker, then the pots. Returns of each spent and reserved."""

ADD = """
if redis.call('EXISTS', KEYS[1]) == 0 then return {-1} end
local spent = redis.call('HINCRBY', KEYS[2], 's', ARGV[1])
if ARGV[2] ~= '0' then redis.call('EXPIREAT', KEYS[2], ARGV[2]) end
return {1, spent, redis.call('HGET', KEYS[2], 'r') or '0'}
"""
"""KEYS: marker, pot. ARGV: nanos, when it may be forgotten. Returns spent and reserved, after this."""

LOCK = """
if redis.call('EXISTS', KEYS[1]) == 1 then return {1} end
local time = redis.call('TIME')
if redis.call('SET', KEYS[2], ARGV[1], 'NX', 'PX', ARGV[2]) or redis.call('GET', KEYS[2]) == ARGV[1] then
  return {-1, string.format('%.0f', time[1] * 1000000 + time[2])}
end
return {0}
"""
"""KEYS: marker, who fills the pots. ARGV: node, milliseconds. Returns 1: they are filled; 0: somebody else does; -1: this node shall,
and Redis' time."""

FILL = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {0} end
for i = 2, #KEYS do
  redis.call('HSET', KEYS[i], 's', ARGV[2 * i - 2])
  if ARGV[2 * i - 1] ~= '0' then redis.call('EXPIREAT', KEYS[i], ARGV[2 * i - 1]) end
end
return {1}
"""
"""KEYS: who fills the pots, then pots. ARGV: node, then for each pot what is spent and when it may be forgotten. Returns 0 if it is
another's turn by now."""

FILLED = """
if redis.call('GET', KEYS[2]) ~= ARGV[1] then return {0} end
redis.call('DEL', KEYS[2])
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return {1}
"""
"""KEYS: marker, who fills the pots. ARGV: node, when the database was read, milliseconds for which the marker stays without a word.
Returns 0 if it is another's turn by now."""
