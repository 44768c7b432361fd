"""What alerts must agree on: that receivers have names of their own, want what there is, and are about features that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from headgate.alerts.settings import KINDS, NAME
from headgate.config.model import Settings
from headgate.config.problems import Key, did_you_mean
from headgate.providers.transport.reach import wrong_reach

__all__ = ["check_alerts"]


def check_alerts(settings: Settings, names: Mapping[str, frozenset[str]]) -> Iterator[tuple[Key, str]]:
    """Key and what would be right, for everything that cannot work."""
    seen: set[str] = set()
    for number, receiver in enumerate(settings.alerts):
        key: Key = ("alerts", number)
        if not re.fullmatch(NAME, receiver.name):
            yield (*key, "name"), "is letters, digits, `-`, `_` and `.`, at most 64 of them"
        elif receiver.name in seen:
            yield (*key, "name"), "every receiver has a name of its own: what waits for it is kept under it"
        seen.add(receiver.name)
        for at, kind in enumerate(receiver.about):
            if kind not in KINDS:
                yield (*key, "about", at), f"no alerts are about `{kind}`{did_you_mean(kind, KINDS)}"
        for at, feature in enumerate(receiver.only.feature):
            if feature not in names["features"]:
                near = did_you_mean(feature, sorted(names["features"]))
                yield (*key, "only", "feature", at), f"no feature `{feature}`{near}"
        for at, named in enumerate(receiver.only.key):
            if not named.startswith("key_"):
                yield (
                    (*key, "only", "key", at),
                    f'"{named}" is not the id of a key; `headgate keys list` tells it, such as key_0aktqcv3zw800',
                )
    for at, entry in enumerate(settings.server.reach):
        if wrong := wrong_reach(entry):
            yield ("server", "reach", at), wrong
