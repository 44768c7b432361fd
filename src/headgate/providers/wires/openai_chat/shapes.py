"""What is read of a chat completion whichever way it is read: its usage; and of one that passes, little more."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.providers.wires.openai_usage import TokenCount

__all__ = ["Glimpsed", "GlimpsedChoice", "Timings", "UsageReply"]


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: TokenCount | None = None
    cache_write_tokens: TokenCount | None = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: TokenCount | None = None


class UsageReply(msgspec.Struct, gc=False):
    """`usage`, with DeepSeek's name for cached tokens beside OpenAI's."""

    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    total_tokens: TokenCount | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: TokenCount | None = None


class Timings(msgspec.Struct, gc=False):
    """llama.cpp's own count, which it sends also when usage was not asked for; `prompt_n` is without `cache_n`."""

    prompt_n: TokenCount | None = None
    predicted_n: TokenCount | None = None
    cache_n: TokenCount | None = None


class _GlimpsedMessage(msgspec.Struct, gc=False):
    tool_calls: list[msgspec.Raw] | None = None
    function_call: Any = None


class GlimpsedChoice(msgspec.Struct, gc=False):
    """Why it stopped, and whether it calls tools."""

    message: _GlimpsedMessage | None = None
    finish_reason: str | None = None
    # vLLM: the stop string that was hit (or a token's id).
    stop_reason: str | int | None = None


class Glimpsed(msgspec.Struct, gc=False):
    """A whole answer without its content."""

    model: str | None = None
    choices: list[GlimpsedChoice] | None = None
    usage: UsageReply | None = None
    timings: Timings | None = None
    system_fingerprint: msgspec.Raw = msgspec.Raw()
