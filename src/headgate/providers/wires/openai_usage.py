"""Numbers as OpenAI and its relatives report them: token counts, put into buckets that do not overlap, and times."""

from __future__ import annotations

from typing import Annotated

import msgspec

from headgate.core.usage import Usage

__all__ = ["TokenCount", "UnixTime", "disjoint"]

TokenCount = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
"""A count no database chokes on; anything else is no count."""

UnixTime = Annotated[float, msgspec.Meta(gt=-(2**53), lt=2**53)]
"""Seconds since 1970. Some servers send fractions, and those written in Go a date of the year 1 for none."""


def disjoint(
    *,
    prompt: int,
    completion: int,
    cached: int = 0,
    written: int = 0,
    reasoning: int = 0,
    total: int | None = None,
) -> Usage:
    """Buckets from OpenAI's counts, in which `prompt` includes what was read from (`cached`) and written to (`written`)
    the prompt cache, and `completion` includes `reasoning`.

    total:  as reported. Where it shows that reasoning was counted beside the completion (xAI), that is believed.
    A part larger than its whole counts as beside it: never a negative bucket.
    """
    beside = reasoning > completion or (reasoning > 0 and total == prompt + completion + reasoning)
    return Usage(
        input=max(0, prompt - cached - written),
        cache_read=cached,
        cache_write=written,
        output=completion if beside else completion - reasoning,
        reasoning=reasoning,
    )
