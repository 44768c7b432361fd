"""How long what is kept, in words that an operator can compare with what was meant."""

from __future__ import annotations

from headgate.config.model import Settings

__all__ = ["keeping", "length"]

_DAY = 86_400.0


def keeping(settings: Settings) -> list[str]:
    """A sentence on all requests, and one on each feature that has lengths of its own."""
    records = settings.records
    keep = records.keep
    content = f"prompts and answers for {length(keep.content)}, " if records.content else ""
    told = [
        (
            f"Kept are {content}requests for {length(keep.spans)}, sums per minute for {length(keep.minutes)}, per hour for "
            f"{length(keep.hours)}, per day for ever, alerts for {length(keep.alerts)}"
        )
    ]
    for name, feature in settings.features.items():
        if (own := feature.keep) is not None:
            spans = keep.spans if own.spans is None else own.spans
            short = min(keep.content if own.content is None else own.content, spans)
            contents = f"prompts and answers for {length(short)}, " if records.content else ""
            told.append(f"Of {name}: {contents}requests for {length(spans)}")
    return told


def length(seconds: float) -> str:
    """`30 days`, `12 hours`."""
    for unit, size in (("day", _DAY), ("hour", 3600.0), ("minute", 60.0)):
        if seconds >= size:
            count = seconds / size
            return f"{count:g} {unit}{'' if count == 1 else 's'}"
    return f"{seconds:g} seconds"
