"""How long what is kept: settings, and which requests each length is for. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from headgate.core.section import Duration, Section
from headgate.stores.retention import Scope

__all__ = ["FeatureKeepSettings", "KeepSettings", "Kept", "kept"]

_DAY = 86_400.0
_LEAST = 3_600.0


class KeepSettings(Section, frozen=True):
    """How long things are kept. Sums per day are kept for ever; so is the ledger's money."""

    content: Duration = Duration(30 * _DAY)
    """Prompts, answers, comments, and the words of errors; at least an hour. Whoever wants none: `content = false`."""
    spans: Duration = Duration(365 * _DAY)
    """Rows about requests and their attempts, scores, and conversations."""
    minutes: Duration = Duration(14 * _DAY)
    """Sums per minute and per ten minutes, which plots of hours are drawn from."""
    hours: Duration = Duration(400 * _DAY)
    """Sums per hour."""
    failures: Duration = Duration(90 * _DAY)
    """Whom errors have affected, and what a node saw of itself each minute."""
    alerts: Duration = Duration(365 * _DAY)
    """Alerts, and what became of them."""

    def __post_init__(self) -> None:
        _check(self.content, self.spans)
        if self.minutes > self.hours:
            raise ValueError("`minutes` are kept no longer than `hours`")


class FeatureKeepSettings(Section, frozen=True):
    """How long a feature's requests are kept, where that is not as `[records]` has it."""

    content: Duration | None = None
    """Prompts, answers, comments, and the words of errors. Left out: as in `records.keep`."""
    spans: Duration | None = None
    """Rows about requests and their attempts. Left out: as in `records.keep`."""

    def __post_init__(self) -> None:
        for each in (self.content, self.spans):
            if each is not None and each < _LEAST:
                raise ValueError(
                    "keep at least an hour; contents that shall not be kept at all: `records.content = false`"
                )


def _check(content: float, spans: float) -> None:
    if min(content, spans) < _LEAST:
        raise ValueError(
            "keep at least an hour; contents that shall not be kept at all: `records.content = false`"
        )
    if content > spans:
        raise ValueError("`content` is kept no longer than `spans`: nobody could find it")


@dataclass(frozen=True, slots=True)
class Kept:
    """Requests, and how long theirs is kept, in seconds."""

    scope: Scope
    content: float
    spans: float


def kept(keep: KeepSettings, features: Mapping[str, FeatureKeepSettings | None]) -> list[Kept]:
    """Features with lengths of their own, each alone; all others together."""
    own = {name: each for name, each in features.items() if each is not None}
    found = [Kept(Scope(tuple(sorted(own)), but=True), keep.content, keep.spans)]
    for name, each in sorted(own.items()):
        spans = keep.spans if each.spans is None else each.spans
        content = keep.content if each.content is None else each.content
        found.append(Kept(Scope((name,), but=False), min(content, spans), spans))
    return found
