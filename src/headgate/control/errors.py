"""What went wrong, how often, and how many people it hit: by error class, feature and model, from rollups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from headgate.core.error_groups import ErrorGroup, group_of
from headgate.stores.rollups import FAILURE_PARTS, HOUR, RollupStore

__all__ = ["ErrorLine", "Errors", "errors_of", "parts"]

WORDS = {"error": "error_class", "feature": "feature", "model": "model"}
"""What people say -> the part of FAILURE_PARTS."""


@dataclass(frozen=True, slots=True)
class ErrorLine:
    """Requests without an answer that have this in common; "" for what was not asked for, and where there is none."""

    error: str
    group: ErrorGroup
    feature: str
    model: str
    requests: int
    users: int
    """End users affected, each counted once in this line; where callers name none, their keys."""


@dataclass(frozen=True, slots=True)
class Errors:
    """All of them, those that hit most people first."""

    since: int
    """Seconds since 1970: failures are added up by the hour, so the first hour is a whole one."""
    until: int
    lines: Sequence[ErrorLine]
    requests: int
    groups: Mapping[ErrorGroup, int]
    """Requests by group, the most first; of all lines."""


def parts(by: str) -> list[str]:
    """`error,feature` as FAILURE_PARTS has it. Raises ValueError."""
    words = [word.strip() for word in by.split(",") if word.strip()]
    for word in words:
        if word not in WORDS:
            raise ValueError(f"`{word}` is none of {', '.join(WORDS)}")
    if len(set(words)) != len(words):
        raise ValueError(f"`{by}` says a word twice")
    return [WORDS[word] for word in words]


async def errors_of(
    rollups: RollupStore,
    since: int,
    until: int,
    *,
    by: Sequence[str] = FAILURE_PARTS,
    only: Mapping[str, str] | None = None,
) -> Errors:
    """Failures from `since` to `until`, seconds since 1970. by, only: of FAILURE_PARTS; the error class is always among them.
    Raises StoreUnavailable."""
    wanted = tuple(dict.fromkeys(("error_class", *by)))
    begins = since // HOUR * HOUR
    found = await rollups.failures(begins, until, by=wanted, only=only or {})
    lines, groups = [], dict[ErrorGroup, int]()
    for each in found:
        said = dict(zip(wanted, each.group, strict=True))
        error = said["error_class"]
        group = group_of(error)
        groups[group] = groups.get(group, 0) + each.requests
        line = ErrorLine(
            error, group, said.get("feature", ""), said.get("model", ""), each.requests, each.users
        )
        lines.append(line)
    lines.sort(key=lambda line: (-line.users, -line.requests, line.error, line.feature, line.model))
    ordered = dict(sorted(groups.items(), key=lambda item: -item[1]))
    return Errors(begins, until, lines, sum(line.requests for line in lines), ordered)
