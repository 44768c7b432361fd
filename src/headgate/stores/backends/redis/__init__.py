"""Redis: what many nodes must know of each other at once. The driver is loaded when one is used, not before."""

from __future__ import annotations

from headgate.stores.backends.redis.health import RedisHealthShare
from headgate.stores.backends.redis.meters import RedisMeters
from headgate.stores.backends.redis.outbox import Outbox
from headgate.stores.backends.redis.purses import RedisPurses

__all__ = ["Outbox", "RedisHealthShare", "RedisMeters", "RedisPurses"]
