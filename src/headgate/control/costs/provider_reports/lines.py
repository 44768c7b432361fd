"""A provider's report as lines: one day (UTC), one model, tokens and money as the provider says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from headgate.core.usage import Usage

__all__ = ["ProviderReport", "ReportLine", "ReportRefused", "add_usage", "joined"]


class ReportRefused(ValueError):
    """The file is no report that can be read. The message says where and why."""


@dataclass(frozen=True, slots=True)
class ReportLine:
    """What the provider says of one model on one day."""

    day: str
    """2026-11-21, of UTC."""
    model: str
    """As the provider spells it; "" where the report does not say."""
    usage: Usage | None = None
    """Reasoning is part of `output`: reports do not tell it apart. None: the report has no tokens."""
    nanos: int | None = None
    """Nano-dollars; None: the report has no money."""
    requests: int | None = None
    item: str = ""
    """What was charged for, where it is no model: `web search tool calls`."""

    @property
    def key(self) -> tuple[str, str, str]:
        return (self.day, self.model, self.item)


@dataclass(frozen=True, slots=True)
class ProviderReport:
    """One or more files of one provider."""

    provider: str
    """openai or anthropic."""
    forms: tuple[str, ...]
    """What the files are, in words."""
    lines: tuple[ReportLine, ...]
    """Each (day, model, item) once."""
    unknown: tuple[str, ...] = ()
    """Columns and fields that were not understood, and therefore not read."""
    notes: tuple[str, ...] = field(default=())
    """What a reader should know before believing the figures."""


def add_usage(first: Usage, second: Usage) -> Usage:
    """Both together."""
    return Usage(
        input=first.input + second.input,
        cache_read=first.cache_read + second.cache_read,
        cache_write=first.cache_write + second.cache_write,
        output=first.output + second.output,
        reasoning=first.reasoning + second.reasoning,
        cache_write_1h=first.cache_write_1h + second.cache_write_1h,
    )


def joined(lines: Iterable[ReportLine]) -> tuple[ReportLine, ...]:
    """Lines of the same day, model and item as one, in that order."""
    found: dict[tuple[str, str, str], ReportLine] = {}
    for line in lines:
        known = found.get(line.key)
        if known is None:
            found[line.key] = line
            continue
        usage = known.usage or line.usage
        if known.usage is not None and line.usage is not None:
            usage = add_usage(known.usage, line.usage)
        found[line.key] = replace(
            known,
            usage=usage,
            nanos=_plus(known.nanos, line.nanos),
            requests=_plus(known.requests, line.requests),
        )
    return tuple(found[key] for key in sorted(found))


def _plus(first: int | None, second: int | None) -> int | None:
    return (first or 0) + (second or 0) if first is not None or second is not None else None
