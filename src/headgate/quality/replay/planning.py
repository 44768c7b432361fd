"""What a replay will cost: the tokens on record at the price of where it would go, with bounds. Pure.

Another model counts and answers differently: hence bounds. At least: the prompt alone, at the cheapest rate. At most: a quarter
more prompt than is known of, and an answer as long as it may be."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

import msgspec

from headgate.core.usage import Usage
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.rates import Rates
from headgate.stores.spans import RequestRow

__all__ = [
    "LEAST_ANSWER",
    "PROMPT_MARGIN",
    "Estimate",
    "Place",
    "answer_bound",
    "estimate",
    "most_nanos",
    "prompt_tokens_of",
    "usage_of_row",
]

PROMPT_MARGIN = 1.25
LEAST_ANSWER = 4_096
"""Tokens that an answer may have where neither the request nor `max_tokens` says it, at least."""
_TIMES_RECORDED = 4
_UNKNOWN_ANSWER = 300
"""Tokens of an answer that the record does not have, because there was none."""
_PER = 1_000_000


class Place(msgspec.Struct, frozen=True):
    """Where a request would go."""

    name: str
    """`provider/model`."""
    rates: Rates | None
    """None: no price is known."""


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What one replay will cost, in nano-dollars; None: no price is known."""

    places: list[str]
    """Where it would go, best first: the others are asked if that one fails."""
    expected_nanos: int | None
    """With as many tokens as the original had, at the first place."""
    least_nanos: int | None
    most_nanos: int | None
    """Of one attempt, at the dearest of the places; None as soon as one has no price."""
    unpriced: list[str]
    """Places of which no price is known."""
    answer_tokens: int
    """The answer is taken to have so many at most."""


def usage_of_row(row: RequestRow) -> Usage:
    """The tokens of a request, all attempts together."""
    return Usage(
        input=row.input_tokens,
        cache_read=row.cache_read_tokens,
        cache_write=row.cache_write_tokens,
        cache_write_1h=row.cache_write_1h_tokens,
        output=row.output_tokens,
        reasoning=row.reasoning_tokens,
    )


def prompt_tokens_of(row: RequestRow) -> int:
    """As a provider counted them: that tells more than any estimate. After a failover they were counted more than once."""
    return usage_of_row(row).prompt // max(row.attempts, 1)


def answer_bound(row: RequestRow, limit: int | None) -> int:
    """The most tokens of the answer. limit: what the request says itself."""
    if row.operation != "chat":
        return 0
    if limit is not None:
        return limit
    return max(LEAST_ANSWER, _TIMES_RECORDED * (row.output_tokens + row.reasoning_tokens))


def estimate(
    row: RequestRow,
    places: Sequence[Place],
    *,
    prompt_tokens: int,
    limit: int | None,
    choices: int = 1,
    thinking: int = 0,
) -> Estimate:
    """places: best first. prompt_tokens: estimated from the body as it will be sent. limit: of the answer, if the request says
    one. choices: answers asked for. thinking: tokens of reasoning that may come on top of the limit."""
    used = usage_of_row(row)
    prompt = prompt_tokens_of(row) or prompt_tokens
    bound = answer_bound(row, limit)
    answer = used.completion or (_UNKNOWN_ANSWER if row.operation == "chat" else 0)
    answer = min(answer, bound * choices) if limit is not None else answer
    priced = [place.rates for place in places if place.rates is not None]
    unpriced = [place.name for place in places if place.rates is None]
    most = max(prompt, prompt_tokens)
    first = places[0].rates if places else None
    return Estimate(
        places=[place.name for place in places],
        expected_nanos=None if first is None else cost_nanos(first, Usage(input=prompt, output=answer)),
        least_nanos=None if not priced else min(_least(rates, prompt) for rates in priced),
        most_nanos=None
        if unpriced or not priced
        else max(most_nanos(rates, most, bound * choices + thinking) for rates in priced),
        unpriced=unpriced,
        answer_tokens=bound,
    )


def _least(rates: Rates, prompt: int) -> int:
    step = rates.steps[0]
    return prompt * min(step.input, step.cache_read) // _PER + rates.per_request


def most_nanos(rates: Rates, prompt: int, answer: int) -> int:
    """The most that a call can cost, if its prompt has about so many tokens and its answer so many at most."""
    prompt = ceil(prompt * PROMPT_MARGIN)
    steps = [step for step in rates.steps if prompt > step.over] or list(rates.steps[:1])
    into = max(max(step.input, step.cache_read, step.cache_write, step.cache_write_1h) for step in steps)
    out = max(max(step.output, step.reasoning) for step in steps)
    return -(-(prompt * into + answer * out) // _PER) + rates.per_request
