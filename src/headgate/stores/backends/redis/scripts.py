"""What Redis runs for us in one step, by its own clock: nodes need not agree on the time."""

from __future__ import annotations

__all__ = ["SNAPSHOT", "TELL"]

TELL = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local seq = string.format('%.0f', now)
local endpoint, message, open_us = ARGV[2], ARGV[3], tonumber(ARGV[4])
if open_us > 0 then
  local until_us = now + open_us
  local before = redis.call('HGET', KEYS[1], endpoint)
  local known = before and tonumber(string.match(before, '^(%d+) ')) or 0
  if until_us > known then
    redis.call('HSET', KEYS[1], endpoint, string.format('%.0f', until_us) .. ' ' .. seq .. ' ' .. message)
  end
  redis.call('PEXPIRE', KEYS[1], 3600000)
else
  redis.call('HDEL', KEYS[1], endpoint)
end
redis.call('PUBLISH', ARGV[1], seq .. ' ' .. message)
return seq
"""
"""KEYS: the hash of what is open. ARGV: channel, endpoint, message, microseconds it stays open (0: it is back).

Keeps the news for those who come later, tells those who listen, and returns the moment: of two news of one endpoint the
later one counts. Of two openings the longer one is kept."""

SNAPSHOT = """
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local all, live = redis.call('HGETALL', KEYS[1]), {}
for at = 1, #all, 2 do
  local until_us, seq, message = string.match(all[at + 1], '^(%d+) (%d+) (.*)$')
  if until_us and tonumber(until_us) > now then
    live[#live + 1] = string.format('%.0f', tonumber(until_us) - now) .. ' ' .. seq .. ' ' .. message
  else
    redis.call('HDEL', KEYS[1], all[at])
  end
end
return live
"""
"""KEYS: the hash of what is open. Returns what still is, as `microseconds moment message`, and removes the rest."""
