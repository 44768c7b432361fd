"""What one model's tokens cost, in whole nano-dollars; `charging` says what an answer cost."""

from __future__ import annotations

import msgspec

__all__ = ["Rates", "Step"]


class Step(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Nano-dollars per million tokens of each bucket: USD per million tokens times 10^9, so every list price is exact."""

    input: int
    output: int
    cache_read: int
    cache_write: int
    cache_write_1h: int
    reasoning: int
    over: int = 0
    """These prices hold for all tokens of a request whose prompt has more tokens than this."""


class Rates(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Prices of one model at one time. Some vendors ask more for long prompts: hence steps, lowest first."""

    steps: tuple[Step, ...]
    per_request: int = 0
    """Nano-dollars for each request, on top."""
