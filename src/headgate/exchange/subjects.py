"""Whom a request counts for, and which requests a rule is about: what limits and budgets have in common."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from headgate.core.section import Section
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange

__all__ = [
    "ALL",
    "LONGEST_SUBJECT",
    "NOBODY",
    "SUBJECTS",
    "About",
    "OnlySettings",
    "Subject",
    "only_of",
    "subject_of",
    "subject_problem",
]

ALL = "*"
"""The subject of a rule that counts all together."""
NOBODY = Caller(key_id="")
LONGEST_SUBJECT = 256
"""Characters of a subject that count."""

Subject = Callable[[Exchange, Caller, str, str], str]
"""(exchange, caller, feature, model) -> whom the request counts for; "" if it names none."""
About = Callable[[Exchange, Caller, str, str], bool]
"""Is a rule about this request?"""

SUBJECTS: Mapping[str, Subject] = {
    "key": lambda _exchange, caller, _feature, _model: caller.key_id,
    # Whose key it is we know; whom an application names we can only believe.
    "user": lambda exchange, caller, _feature, _model: caller.user or exchange.user,
    "team": lambda _exchange, caller, _feature, _model: caller.team,
    "tenant": lambda _exchange, caller, _feature, _model: caller.tenant,
    "feature": lambda _exchange, _caller, feature, _model: feature,
    "model": lambda _exchange, _caller, _feature, model: model,
}


class OnlySettings(Section, frozen=True):
    """Which requests it is about: those that are one of the named in everything that is named."""

    feature: list[str] = msgspec.field(default_factory=list)
    """Features."""
    model: list[str] = msgspec.field(default_factory=list)
    """Models that are asked for directly, or that the route of the feature names."""
    key: list[str] = msgspec.field(default_factory=list)
    """Keys, by name or id."""
    team: list[str] = msgspec.field(default_factory=list)
    """Teams of the keys."""
    user: list[str] = msgspec.field(default_factory=list)
    """End users."""
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    """Tags (`x-headgate-tags`) and their values; all must be as written."""


def subject_problem(of: str) -> str:
    """What is wrong with `of`; "" if nothing is."""
    if of in SUBJECTS or (of.startswith("tag:") and of.removeprefix("tag:").strip()):
        return ""
    return f'"{of}" is nothing to count by; write {", ".join(f"`{name}`" for name in SUBJECTS)} or `tag:NAME`'


def subject_of(of: str, *, each: bool) -> Subject | None:
    """How a rule finds whom a request counts for; None: all together."""
    if not each:
        return None
    if of in SUBJECTS:
        return SUBJECTS[of]
    tag = of.removeprefix("tag:").strip()
    return lambda exchange, _caller, _feature, _model: exchange.tags.get(tag, "")


def only_of(only: OnlySettings) -> About | None:
    """The same as a question; None: it is about every request."""
    if only == OnlySettings():
        return None
    keys = frozenset(only.key)
    named = [
        (SUBJECTS[name], frozenset(getattr(only, name))) for name in ("feature", "model", "team", "user")
    ]
    wanted = [(subject, names) for subject, names in named if names]
    tags = tuple(only.tags.items())

    def about(exchange: Exchange, caller: Caller, feature: str, model: str) -> bool:
        if keys and caller.key_name not in keys and caller.key_id not in keys:
            return False
        for subject, names in wanted:
            if subject(exchange, caller, feature, model) not in names:
                return False
        return all(exchange.tags.get(name) == value for name, value in tags)

    return about
