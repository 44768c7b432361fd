"""The ladders of a configuration, ready to be climbed: rules compiled, addresses parsed, functions loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from headgate.core.section import Duration
from headgate.dispatch.ladder.callback import Callback, callback_of
from headgate.dispatch.ladder.entry_point import Function, load
from headgate.dispatch.ladder.rules import Rule, RuleBook, any_of
from headgate.dispatch.ladder.settings import (
    CallbackRung,
    CallbackSettings,
    PythonRung,
    RulesRung,
    RulesSettings,
    Rung,
    StaleRung,
    rungs_of,
)

__all__ = ["NO_LADDER", "LadderPlan", "ladders_of", "rule_book"]


@dataclass(frozen=True, slots=True)
class LadderPlan:
    """One feature's ladder."""

    rungs: tuple[Rung, ...] = ()
    rules: Mapping[str, RuleBook] = field(default_factory=dict)
    """Of the rungs `rules:NAME`, by name."""
    callbacks: Mapping[str, Callback] = field(default_factory=dict)
    """Of the rungs `http:...`, by what stands behind the colon."""
    functions: Mapping[str, Function] = field(default_factory=dict)
    """Of the rungs `python:...`, by what stands behind the colon."""
    filtered: bool = False
    """Also climb it when a provider's content filter refused the request."""
    stale_seconds: float = 0.0
    """How long good answers are kept; 0.0: the ladder has no `stale`."""


NO_LADDER = LadderPlan()


def ladders_of(
    degrade: Mapping[str, Sequence[str]],
    rules: Mapping[str, RulesSettings],
    callbacks: Mapping[str, CallbackSettings],
    *,
    filtered: frozenset[str] = frozenset(),
    load_function: Callable[[str], Function] = load,
) -> dict[str, LadderPlan]:
    """Feature -> ladder, for features that have one. Loads functions, which runs their modules' code.

    degrade: feature -> rungs as text. filtered: features that climb theirs after a content filter's refusal, too.
    Raises ValueError for a rung that cannot work."""
    books = {name: rule_book(settings) for name, settings in rules.items()}
    functions: dict[str, Function] = {}
    return {
        feature: _plan(rungs_of(texts), books, callbacks, functions, load_function, feature in filtered)
        for feature, texts in degrade.items()
        if texts
    }


def rule_book(settings: RulesSettings) -> RuleBook:
    """The rules, ready for use."""
    return RuleBook(
        [Rule(any_of(rule.any) if rule.any else None, rule.pattern, rule.answer) for rule in settings.match],
        settings.otherwise,
    )


def _plan(
    rungs: tuple[Rung, ...],
    books: Mapping[str, RuleBook],
    callbacks: Mapping[str, CallbackSettings],
    functions: dict[str, Function],
    load_function: Callable[[str], Function],
    filtered: bool,
) -> LadderPlan:
    used_books: dict[str, RuleBook] = {}
    used_callbacks: dict[str, Callback] = {}
    for rung in rungs:
        if isinstance(rung, RulesRung):
            if rung.name not in books:
                raise ValueError(f"no rules `{rung.name}`; add a [rules.{rung.name}] section")
            used_books[rung.name] = books[rung.name]
        elif isinstance(rung, CallbackRung):
            used_callbacks[rung.target] = _callback(rung, callbacks)
        elif isinstance(rung, PythonRung) and rung.target not in functions:
            functions[rung.target] = load_function(rung.target)
    stale = max((rung.seconds for rung in rungs if isinstance(rung, StaleRung)), default=0.0)
    return LadderPlan(rungs, used_books, used_callbacks, functions, filtered, stale)


def _callback(rung: CallbackRung, callbacks: Mapping[str, CallbackSettings]) -> Callback:
    if rung.is_url:
        return callback_of(CallbackSettings(url=rung.target, timeout=Duration(2)))
    if rung.target not in callbacks:
        raise ValueError(f"no callback `{rung.target}`; add a [callbacks.{rung.target}] section")
    return callback_of(callbacks[rung.target])
