"""Tokens of one answer, in buckets that never overlap."""

from __future__ import annotations

import msgspec

__all__ = ["Usage"]


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens, each counted in exactly one bucket, whatever way the provider counts.

    Vendors differ: OpenAI's `prompt_tokens` includes cached ones and its `completion_tokens` includes reasoning,
    Anthropic's `input_tokens` excludes what was read from or written to the cache. The wires translate.
    Zero means the provider said zero; a missing report is `None` where a `Usage` is expected, never `Usage()`.
    """

    input: int = 0
    """Prompt tokens that came neither from nor into the provider's prompt cache."""
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    """Answer tokens without reasoning."""
    reasoning: int = 0
    cache_write_1h: int = 0
    """The part of prompt tokens written to Anthropic's one-hour cache, which has its own price; not in `cache_write`."""

    @property
    def prompt(self) -> int:
        """All tokens that went in."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h

    @property
    def completion(self) -> int:
        """All tokens that came out."""
        return self.output + self.reasoning

    @property
    def total(self) -> int:
        return self.prompt + self.completion
