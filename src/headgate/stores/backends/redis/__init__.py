"""Redis: what many nodes must know of each other at once. The driver is loaded when one is used, not before."""

from __future__ import annotations

from headgate.stores.backends.redis.health import RedisHealthShare
from headgate.stores.backends.redis.meters import RedisMeters

__all__ = ["RedisHealthShare", "RedisMeters"]
