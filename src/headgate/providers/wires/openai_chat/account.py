"""What a chat completion says of itself: its usage, why it stopped, which system gave it."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
from msgspec.structs import astuple

from headgate.core.messages import StopReason
from headgate.core.usage import Usage
from headgate.providers.port import Glimpse
from headgate.providers.wires.openai_chat.shapes import Glimpsed, Timings, UsageReply
from headgate.providers.wires.openai_usage import disjoint

__all__ = ["ERROR", "STOP_REASONS", "fingerprint_of", "glimpse_of", "stop_of", "usage_of"]

STOP_REASONS: Final[dict[str, StopReason]] = {
    "stop": "end",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filter",
    # What compatible servers write.
    "eos": "end",
    "eos_token": "end",
    "end_turn": "end",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "model_length": "max_tokens",
}
"""From `finish_reason`; a word not listed means "other"."""

ERROR: Final = "error"
"""The `finish_reason` of routers whose upstream failed in the middle of the answer."""

_LONGEST_FINGERPRINT: Final = 100
_glimpsed: Final = msgspec.json.Decoder(Glimpsed).decode
_text: Final = msgspec.json.Decoder(str).decode
# Compiled, one call for all fields of a struct costs as much as reading one of them.
_fields: Final[Any] = astuple


def glimpse_of(body: bytes) -> Glimpse | None:
    """What is to be known of a whole answer that passes untouched: a third of the work of reading it. None: it is none, or not
    as usual, and has to be read to say what it is."""
    try:
        seen = _glimpsed(body)
    except (ValueError, RecursionError):
        return None
    model, choices, usage, timings, fingerprint = cast(
        "tuple[str | None, list[Any] | None, Any, Any, Any]", _fields(seen)
    )
    if not choices:
        return None
    reason: StopReason | None = None
    first = True
    for choice in choices:
        message, finish, stopped_by = cast("tuple[Any, str | None, Any]", _fields(choice))
        if finish == ERROR:
            return None
        if first and finish:
            reason = stop_of(finish, stopped_by, called=message is not None and _calls(message))[0]
        first = False
    return Glimpse(model or "", usage_of(usage, timings), reason, fingerprint_of(fingerprint))


def _calls(message: Any) -> bool:
    tools, function = cast("tuple[Any, Any]", _fields(message))
    return bool(tools) or (function is not None and function != [])


def fingerprint_of(said: msgspec.Raw) -> str:
    """`system_fingerprint`. What is no short text is nothing: nobody's answer shall fail for it."""
    data = bytes(said)
    if len(data) <= 2 or data[:1] != b'"':
        return ""
    try:
        return _text(data)[:_LONGEST_FINGERPRINT]
    except msgspec.DecodeError:
        return ""


def usage_of(said: UsageReply | None, timings: Timings | None) -> Usage | None:
    """The buckets; None if the provider counted nothing."""
    if said is None:
        return _usage_of_timings(timings) if timings is not None else None
    prompt, completion, total, of_prompt, of_completion, hit = cast(
        "tuple[int | None, int | None, int | None, Any, Any, int | None]", _fields(said)
    )
    if prompt is None and completion is None:
        return _usage_of_timings(timings) if timings is not None else None
    cached: int | None = None
    written: int | None = None
    if of_prompt is not None:
        cached, written = cast("tuple[int | None, int | None]", _fields(of_prompt))
    return disjoint(
        prompt=prompt or 0,
        completion=completion or 0,
        cached=(hit if cached is None else cached) or 0,
        written=written or 0,
        reasoning=(of_completion.reasoning_tokens or 0) if of_completion is not None else 0,
        total=total,
    )


def _usage_of_timings(timings: Timings) -> Usage | None:
    if timings.prompt_n is None and timings.predicted_n is None:
        return None
    return Usage(
        input=timings.prompt_n or 0, cache_read=timings.cache_n or 0, output=timings.predicted_n or 0
    )


def stop_of(finish_reason: str, stop_reason: str | int | None, *, called: bool) -> tuple[StopReason, str]:
    """Why a choice stopped, and the stop sequence if the server named it.

    called: the choice calls tools. A call the caller forced ends with `stop` at OpenAI; it is `tool_use` all the same.
    """
    reason = STOP_REASONS.get(finish_reason, "other")
    if reason == "end":
        if called:
            return "tool_use", ""
        if isinstance(stop_reason, str) and stop_reason:
            return "stop_sequence", stop_reason
    return reason, ""
