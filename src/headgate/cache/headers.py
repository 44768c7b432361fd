"""What a reply says about memory, in headers."""

from __future__ import annotations

from headgate.core.ids import request_id_text
from headgate.stores.spans import GIVEN

__all__ = ["FREE", "TOLD", "origin_header"]

FREE = (b"x-headgate-cost-usd", b"0")

_X_CACHE = {how: b"HIT (%b)" % how.encode() for how in GIVEN} | {
    "miss": b"MISS",
    "bypass": b"BYPASS",
    "refreshed": b"REFRESH",
}
TOLD = {how: ((b"x-cache", said), (b"x-headgate-cache", how.encode())) for how, said in _X_CACHE.items()}
"""By how memory answered, see `RequestRow.cache`."""


def origin_header(request_id: int) -> tuple[bytes, bytes]:
    """Names the request whose answer it is."""
    return b"x-headgate-cache-origin", request_id_text(request_id).encode()
