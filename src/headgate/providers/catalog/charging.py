"""What one answer cost, by one model's prices. Pure, in whole nano-dollars."""

from __future__ import annotations

from typing import Final

from msgspec.structs import astuple

from headgate.core.usage import Usage
from headgate.providers.catalog.rates import Rates, Step

__all__ = ["DEAREST_NANOS", "cost_nanos", "prompt_cache_nanos"]

_PER: Final = 1_000_000
DEAREST_NANOS: Final = 10**15
"""A million dollars: what one answer costs at most. A server that reports 10^15 tokens, or a caller who asks for as many, is wrong,
and nine thousand such sums fit where sums are kept."""

# Compiled, each look at a field of a Struct costs as much as this does for half of them.
_fields: Final = astuple


def cost_nanos(rates: Rates, usage: Usage) -> int:
    """Nano-dollars for one answer, rounded half to even once, at the end; never more than `DEAREST_NANOS`."""
    used: tuple[int, int, int, int, int, int] = _fields(usage)
    input_, cache_read, cache_write, output, reasoning, cache_write_1h = used
    prices: tuple[int, int, int, int, int, int, int] = _fields(_step(rates, usage))
    total = (
        input_ * prices[0]
        + output * prices[1]
        + cache_read * prices[2]
        + cache_write * prices[3]
        + cache_write_1h * prices[4]
        + reasoning * prices[5]
    )
    return min(_rounded(total) + rates.per_request, DEAREST_NANOS)


def prompt_cache_nanos(rates: Rates, usage: Usage) -> tuple[int, int]:
    """What the provider's prompt cache did to the price of one answer: (saved by what was read from it, paid on top for what was
    written to it), both against the price of tokens that have nothing to do with it."""
    if not (usage.cache_read or usage.cache_write or usage.cache_write_1h):
        return 0, 0
    step = _step(rates, usage)
    saved = usage.cache_read * (step.input - step.cache_read)
    extra = usage.cache_write * (step.cache_write - step.input)
    extra += usage.cache_write_1h * (step.cache_write_1h - step.input)
    return _bounded(_rounded(saved)), _bounded(_rounded(extra))


def _step(rates: Rates, usage: Usage) -> Step:
    steps = rates.steps
    step = steps[0]
    if len(steps) > 1:
        prompt = usage.prompt
        for higher in steps[1:]:
            if prompt > higher.over:
                step = higher
    return step


def _rounded(total: int) -> int:
    whole, rest = total // _PER, total % _PER
    if rest * 2 > _PER or (rest * 2 == _PER and whole & 1):
        whole += 1
    return whole


def _bounded(amount: int) -> int:
    return max(-DEAREST_NANOS, min(amount, DEAREST_NANOS))
