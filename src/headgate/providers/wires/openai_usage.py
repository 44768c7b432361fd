"""Token counts as OpenAI and its relatives report them, put into buckets that do not overlap."""

from __future__ import annotations

from headgate.core.usage import Usage

__all__ = ["disjoint"]


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
