"""What Redis runs for limits in one step, by its own clock: nodes need not agree on the time. Moments are microseconds."""

from __future__ import annotations

__all__ = ["RENEW", "SETTLE", "TAKE"]

TAKE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local holder, lease = ARGV[1], tonumber(ARGV[2])
local ok, due, reply = 1, {}, {}
for i = 1, #KEYS do
  local units, interval, most = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1]), tonumber(ARGV[3 * i + 2])
  local room
  if interval > 0 then
    due[i] = math.max(tonumber(redis.call('GET', KEYS[i]) or 0), now)
    room = most - (due[i] - now) / interval
    if (units - room) * interval > 2 then ok = 0 end
  else
    redis.call('ZREMRANGEBYSCORE', KEYS[i], '-inf', now)
    room = most - redis.call('ZCARD', KEYS[i])
    if units > room then ok = 0 end
  end
  reply[i + 1] = room
end
for i = 1, #KEYS do
  if ok == 1 then
    local units, interval = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
    if interval > 0 then
      local moment = due[i] + units * interval
      if moment > now then
        redis.call('SET', KEYS[i], string.format('%.0f', moment), 'PX', math.ceil((moment - now) / 1000))
      end
    else
      redis.call('ZADD', KEYS[i], now + lease, holder)
      redis.call('PEXPIRE', KEYS[i], math.ceil(lease / 1000))
    end
    reply[i + 1] = reply[i + 1] - units
  end
  reply[i + 1] = string.format('%.6f', reply[i + 1])
end
reply[1] = ok
return reply
"""
"""KEYS: the counts. ARGV: holder, how long what it holds is held without a word, then for each count units, interval (0:
held until given back), most. Returns 1 if all were taken, else 0 and nothing was; then what is left of each."""

SETTLE = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i = 1, #KEYS do
  local units, interval = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  if interval > 0 then
    local moment = tonumber(redis.call('GET', KEYS[i]) or 0)
    if units > 0 then moment = math.max(moment, now) end
    moment = moment + units * interval
    if moment > now then
      redis.call('SET', KEYS[i], string.format('%.0f', moment), 'PX', math.ceil((moment - now) / 1000))
    else
      redis.call('DEL', KEYS[i])
    end
  else
    redis.call('ZREM', KEYS[i], ARGV[1])
  end
end
return 1
"""
"""KEYS: the counts. ARGV: holder, then for each count units (negative: fewer) and interval (0: given back)."""

RENEW = """
local time = redis.call('TIME')
local moment = time[1] * 1000000 + time[2] + tonumber(ARGV[1])
for i = 1, #KEYS do
  redis.call('ZADD', KEYS[i], moment, ARGV[i + 1])
  redis.call('PEXPIRE', KEYS[i], math.ceil(tonumber(ARGV[1]) / 1000))
end
return 1
"""
"""KEYS: what is held. ARGV: for how long from now, then who holds each."""
