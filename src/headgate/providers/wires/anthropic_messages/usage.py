"""Anthropic's token counts in our buckets."""

from __future__ import annotations

import msgspec

from headgate.core.usage import Usage

__all__ = ["UsageFields", "merged", "usage_of"]


class _CacheCreation(msgspec.Struct, gc=False):
    ephemeral_5m_input_tokens: int | None = None
    ephemeral_1h_input_tokens: int | None = None


class _OutputDetails(msgspec.Struct, gc=False):
    thinking_tokens: int | None = None


class UsageFields(msgspec.Struct):
    """`usage` as it is sent; None: not said in this event."""

    input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None
    output_tokens: int | None = None
    output_tokens_details: _OutputDetails | None = None


def merged(before: UsageFields | None, now: UsageFields) -> UsageFields:
    """Counts are cumulative: a later one replaces an earlier one, and what is not repeated still holds."""
    if before is None:
        return now
    written = before.cache_creation_input_tokens
    if now.cache_creation is None and now.cache_creation_input_tokens in (None, written):
        now.cache_creation = before.cache_creation
    for name in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens"):
        if getattr(now, name) is None:
            setattr(now, name, getattr(before, name))
    if now.output_tokens_details is None:
        now.output_tokens_details = before.output_tokens_details
    return now


def usage_of(fields: UsageFields) -> Usage:
    """`input_tokens` counts neither what was read from the cache nor what was written to it; `output_tokens` includes
    thinking."""
    written, hour = fields.cache_creation_input_tokens or 0, 0
    split = fields.cache_creation
    if split is not None and (
        split.ephemeral_5m_input_tokens is not None or split.ephemeral_1h_input_tokens is not None
    ):
        written, hour = split.ephemeral_5m_input_tokens or 0, split.ephemeral_1h_input_tokens or 0
    output = fields.output_tokens or 0
    details = fields.output_tokens_details
    reasoning = 0 if details is None else min(details.thinking_tokens or 0, output)
    return Usage(
        input=fields.input_tokens or 0,
        cache_read=fields.cache_read_input_tokens or 0,
        cache_write=written,
        cache_write_1h=hour,
        output=output - reasoning,
        reasoning=reasoning,
    )
