"""What rules of alerts must agree on: names of their own, and features that exist."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from headgate.alerts.rules.settings import STANDARD
from headgate.config.model import Settings
from headgate.config.problems import Key, did_you_mean

__all__ = ["check_watch"]


def check_watch(settings: Settings, names: Mapping[str, frozenset[str]]) -> Iterator[tuple[Key, str]]:
    """Key and what would be right, for everything that cannot work."""
    seen: set[str] = set()
    standard = [each.name for each in STANDARD]
    for number, rule in enumerate(settings.watch.rules):
        key: Key = ("watch", "rules", number)
        if rule.name in seen:
            yield (*key, "name"), "every rule has a name of its own: how it stands is kept under it"
        seen.add(rule.name)
        # Models that callers may ask for by name are features to the records, too.
        known = names["features"] | names["models"]
        if rule.of.feature and rule.of.feature not in known:
            near = did_you_mean(rule.of.feature, sorted(names["features"]))
            yield (*key, "of", "feature"), f"no feature `{rule.of.feature}`{near}"
        if rule.of.provider and rule.of.provider not in names["providers"]:
            near = did_you_mean(rule.of.provider, sorted(names["providers"]))
            yield (*key, "of", "provider"), f"no provider `{rule.of.provider}`{near}"
    for number, name in enumerate(settings.watch.without):
        if name not in standard:
            near = did_you_mean(name, standard, listed=len(standard))
            yield ("watch", "without", number), f"no standard rule `{name}`{near}"
