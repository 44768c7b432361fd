"""Connections and bytes: pooled HTTP/1.1 to one provider, with TLS, proxies, deadlines and backpressure.

`client` sends; `pool` keeps connections; `connection` is one of them; `reply` is what the caller reads.
Nothing here knows models, money or wires. Why it is our own: docs/decisions/0003-own-transport.md.
"""

from headgate.providers.transport.client import PoolCounts, Transport
from headgate.providers.transport.settings import TransportSettings

__all__ = ["PoolCounts", "Transport", "TransportSettings"]
