"""What one model's tokens cost, and what one answer cost. Pure, in whole nano-dollars."""

from __future__ import annotations

import msgspec

from headgate.core.usage import Usage

__all__ = ["DEAREST_NANOS", "Rates", "Step", "cost_nanos", "prompt_cache_nanos"]

_PER = 1_000_000
DEAREST_NANOS = 10**15
"""A million dollars: what one answer costs at most. A server that reports 10^15 tokens, or a caller who asks for as many, is wrong,
and nine thousand such sums fit where sums are kept."""


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


def cost_nanos(rates: Rates, usage: Usage) -> int:
    """Nano-dollars for one answer, rounded half to even once, at the end; never more than `DEAREST_NANOS`."""
    step = _step(rates, usage)
    total = (
        usage.input * step.input
        + usage.output * step.output
        + usage.cache_read * step.cache_read
        + usage.cache_write * step.cache_write
        + usage.cache_write_1h * step.cache_write_1h
        + usage.reasoning * step.reasoning
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
    whole, rest = divmod(total, _PER)
    if rest * 2 > _PER or (rest * 2 == _PER and whole & 1):
        whole += 1
    return whole


def _bounded(amount: int) -> int:
    return max(-DEAREST_NANOS, min(amount, DEAREST_NANOS))
