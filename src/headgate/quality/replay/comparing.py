"""Two answers to one question, side by side. Pure."""

from __future__ import annotations

import msgspec

from headgate.core.ids import request_id_text
from headgate.core.messages import Answer, Text, ToolCall
from headgate.core.money import usd
from headgate.quality.replay.wording import TextDiff, text_diff
from headgate.stores.spans import RequestRow

__all__ = [
    "SIMILAR",
    "Comparison",
    "Heard",
    "ReplayCall",
    "ReplaySide",
    "compared",
    "heard_in",
    "side_of",
    "succeeded",
]

SIMILAR = 0.8
"""Answers whose texts share so much are called similar."""


class ReplayCall(msgspec.Struct, frozen=True):
    """A tool that the model asked for."""

    name: str
    arguments: str
    """JSON, as the model wrote it."""


class Heard(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says: its first choice."""

    text: str = ""
    calls: tuple[ReplayCall, ...] = ()
    known: bool = True
    """False: nothing is known of it, since it was not kept or cannot be read."""


class ReplaySide(msgspec.Struct, frozen=True, kw_only=True):
    """One of the two, in figures."""

    id: str
    model: str
    """What the provider says answered, else what was chosen, else what was asked for."""
    requested_model: str
    provider: str
    outcome: str
    """ok, refused, failed, hung_up or cut_off."""
    status: int
    error: str
    """The code of the error; empty if there was none."""
    error_detail: str
    degraded: str
    """The rung of the degrade ladder that answered; empty if a model did."""
    finish: str
    """Why the model stopped."""
    stream: bool
    attempts: int
    input_tokens: int
    """All of the prompt, cached ones too."""
    output_tokens: int
    """All of the answer, reasoning too."""
    cost_usd: str | None
    """A decimal number; null: no price is known."""
    cost_label: str
    first_content_ms: float
    """0: there was none."""
    total_ms: float
    config: str


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The recorded request, and what came when it was sent again."""

    original: ReplaySide
    replay: ReplaySide
    original_text: str
    replay_text: str
    original_calls: list[ReplayCall]
    replay_calls: list[ReplayCall]
    same_calls: bool
    """The same tools, in the same order, with arguments that say the same."""
    identical: bool | None
    """The same text and the same calls; null: one of the answers is not known."""
    similarity: float | None
    """From 0 to 1, of the texts."""
    diff: TextDiff | None


def heard_in(answer: Answer | None) -> Heard:
    """What it says; None: nothing is known."""
    if answer is None:
        return Heard(known=False)
    parts = answer.choices[0].parts if answer.choices else []
    return Heard(
        text="".join(part.text for part in parts if isinstance(part, Text)),
        calls=tuple(ReplayCall(part.name, part.arguments) for part in parts if isinstance(part, ToolCall)),
    )


def side_of(row: RequestRow) -> ReplaySide:
    """A recorded request in figures."""
    return ReplaySide(
        id=request_id_text(row.id),
        model=row.reported_model or row.routed_model or row.requested_model,
        requested_model=row.requested_model,
        provider=row.provider,
        outcome=row.outcome,
        status=row.status,
        error=row.error_class,
        error_detail=row.error_detail,
        degraded=row.degraded,
        finish=row.finish_reason,
        stream=row.stream,
        attempts=row.attempts,
        input_tokens=row.input_tokens
        + row.cache_read_tokens
        + row.cache_write_tokens
        + row.cache_write_1h_tokens,
        output_tokens=row.output_tokens + row.reasoning_tokens,
        cost_usd=None if row.cost_nanos is None else f"{usd(row.cost_nanos):f}",
        cost_label=row.cost_label,
        first_content_ms=row.first_content_us / 1000,
        total_ms=row.total_us / 1000,
        config=row.config_hash,
    )


def compared(
    original: RequestRow, said: Heard, replay: RequestRow, heard: Heard, *, diff: bool = True
) -> Comparison:
    """Both side by side. said, heard: the two answers. diff: False leaves the differing runs of text out."""
    both = said.known and heard.known
    found = text_diff(said.text, heard.text) if both else None
    same = _same_calls(said.calls, heard.calls)
    return Comparison(
        original=side_of(original),
        replay=side_of(replay),
        original_text=said.text,
        replay_text=heard.text,
        original_calls=list(said.calls),
        replay_calls=list(heard.calls),
        same_calls=same,
        identical=found.identical and same if found is not None else None,
        similarity=found.similarity if found is not None else None,
        diff=found if diff else None,
    )


def succeeded(row: RequestRow) -> bool:
    """Was it answered by a model?"""
    return row.outcome == "ok" and not row.degraded


def _same_calls(one: tuple[ReplayCall, ...], other: tuple[ReplayCall, ...]) -> bool:
    return [(call.name, _meaning(call.arguments)) for call in one] == [
        (call.name, _meaning(call.arguments)) for call in other
    ]


def _meaning(arguments: str) -> object:
    try:
        return msgspec.json.decode(arguments)
    except msgspec.DecodeError:
        return arguments
