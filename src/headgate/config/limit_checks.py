"""What limits must agree on: that each counts something, and is about callers and features that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from headgate.admission.limits.settings import COUNTED, LimitSettings
from headgate.config.model import Settings
from headgate.config.problems import Key, did_you_mean
from headgate.exchange.subjects import subject_problem

__all__ = ["check_limits"]

Found = Iterator[tuple[Key, str]]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_SHORTEST, _LONGEST = 1.0, 86400.0


def check_limits(settings: Settings, names: Mapping[str, frozenset[str]]) -> Found:
    """Key and what would be right, for everything that cannot work."""
    seen: set[str] = set()
    for number, limit in enumerate(settings.limits):
        key: Key = ("limits", number)
        if not _NAME.fullmatch(limit.name):
            yield (
                (*key, "name"),
                "is letters, digits, `-`, `_` and `.`, at most 64 of them: it stands in a header",
            )
        elif limit.name in seen:
            yield (*key, "name"), "every limit has a name of its own: what is used is counted under it"
        seen.add(limit.name)
        yield from _limit(key, limit)
        for at, feature in enumerate(limit.only.feature):
            if feature not in names["features"]:
                near = did_you_mean(feature, sorted(names["features"]))
                yield (*key, "only", "feature", at), f"no feature `{feature}`{near}"
    for name, wanted in settings.features.items():
        if wanted.queue is not None and wanted.queue.wait <= 0:
            yield (
                ("features", name, "queue", "wait"),
                "must be more than 0; leave `queue` out to refuse at once",
            )
        if wanted.queue is not None and wanted.queue.most < 1:
            yield (
                ("features", name, "queue", "most"),
                "must be at least 1; leave `queue` out to refuse at once",
            )
    if settings.server.nodes < 1:
        yield ("server", "nodes"), "must be at least 1"


def _limit(key: Key, limit: LimitSettings) -> Found:
    if wrong := subject_problem(limit.of):
        yield (*key, "of"), wrong
    counted = [name for name in COUNTED if getattr(limit, name) is not None]
    if not counted:
        yield key, f"limits nothing; set {', '.join(f'`{name}`' for name in COUNTED[:-1])} or `{COUNTED[-1]}`"
    for name in counted:
        if getattr(limit, name) < 1:
            yield (*key, name), "must be at least 1"
    if not _SHORTEST <= limit.per <= _LONGEST:
        yield (*key, "per"), 'must be from "1s" to "1d"'
    if not 0 < limit.burst <= 1:
        yield (*key, "burst"), "must be more than 0, and 1 at most"
    if limit.assume_output < 1:
        yield (*key, "assume_output"), "must be at least 1"
