"""Which budgets a request is paid from. Pure, but for reading the exchange."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from zoneinfo import ZoneInfo

from headgate.budgets.periods import ENDLESS, Calendar, Period
from headgate.budgets.settings import (
    AnswerTokenSettings,
    BudgetSettings,
    FeatureBudgetSettings,
    spelt_out,
)
from headgate.core.money import nanos
from headgate.exchange.exchange import Exchange
from headgate.exchange.subjects import ALL, LONGEST_SUBJECT, NOBODY, only_of, subject_of
from headgate.stores.purses import Pot

__all__ = ["Deposits", "Plan", "Rule", "Share", "Terms", "every_budget", "plan_of"]

_MOST_POTS = 10_000
"""Pots of one budget that are kept ready; one for each user may be many."""
Deposits = Mapping[tuple[str, str], int]
"""(budget, subject) -> nano-dollars put in."""
_NONE: Deposits = MappingProxyType({})


class Rule:
    """A budget, ready for use."""

    __slots__ = (
        "_begins",
        "_calendar",
        "_ends",
        "_pots",
        "about",
        "alert_at",
        "alone",
        "amount",
        "downgrades",
        "name",
        "name_text",
        "prepaid",
        "refuses",
        "settings",
        "subject",
        "wait",
    )

    def __init__(self, settings: BudgetSettings) -> None:
        self.settings = settings
        self.name = settings.name
        self.name_text = settings.name.encode()
        self.alone = settings.per == "request"
        """Is each request paid for itself, so that there is no sum to keep?"""
        self.prepaid = settings.per == "prepaid"
        self.amount = nanos(settings.usd)
        """Nano-dollars of each sum; deposits come on top."""
        self.about = only_of(settings.only)
        self.subject = subject_of(settings.of, each=settings.each)
        self.refuses = settings.when_spent == "refuse"
        self.downgrades = settings.when_spent == "downgrade" and bool(settings.downgrade_to)
        self.wait = float(settings.wait)
        self.alert_at = tuple(sorted(set(settings.alert_at)))
        per = settings.per
        self._calendar = (
            Calendar(per, ZoneInfo(settings.time_zone))
            if per == "day" or per == "week" or per == "month"  # noqa: PLR1714 - understood by every mypy
            else None
        )
        self._begins = self._ends = 0
        self._pots: dict[str, Pot] = {}

    def period(self, second: int) -> Period:
        """The one that a moment (seconds since 1970) lies in."""
        return self._calendar.at(second) if self._calendar is not None else ENDLESS

    def amount_for(self, subject: str, deposits: Deposits = _NONE) -> int:
        """Nano-dollars that one sum holds when nothing of it is spent."""
        if not self.prepaid:
            return self.amount
        return max(self.amount + deposits.get((self.name, subject), 0), 0)

    def pot(self, subject: str, second: int, deposits: Deposits = _NONE) -> Pot:
        """The sum that a request pays from now. second: since 1970."""
        now = self._begins <= second < self._ends
        if now and (found := self._pots.get(subject)) is not None:
            return found
        if self._calendar is None:
            # Deposits change what it holds at any time.
            most = self.amount_for(subject, deposits) if self.refuses else -1
            return Pot(self.name, subject, 0, 0, most)
        if not now or len(self._pots) >= _MOST_POTS:
            self._begins, self._ends = self._calendar.at(second)
            self._pots = {}
        most = self.amount if self.refuses else -1
        found = self._pots[subject] = Pot(self.name, subject, self._begins, self._ends, most)
        return found


Share = tuple[Rule, str]
"""A budget that is about a request, and whose sum of it."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What budgets say together: of all requests that the same ones are about."""

    alone: tuple[Rule, ...]
    """Those that pay each request for itself."""
    hard: bool
    """Is there one that refuses?"""
    watched: bool
    """Is there one that callers are told of, or that brings another model?"""
    answer: int
    """The most tokens of an answer of which nobody says it."""
    margin: float
    """How many times the prompt's estimate is taken."""


class Plan:
    """All budgets of a configuration, and how long answers may be."""

    __slots__ = ("_bits", "_terms", "answers", "by_name", "rules")

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        answers: Mapping[str, AnswerTokenSettings] = MappingProxyType({}),
    ) -> None:
        """answers: feature -> its own or the defaults; "" for models asked directly. Only those that bound anything."""
        self.rules = tuple(rules)
        self._bits = tuple((1 << at, rule) for at, rule in enumerate(rules))
        self.by_name = {rule.name: rule for rule in rules}
        self.answers = answers
        self._terms: dict[int, Terms] = {}

    def __bool__(self) -> bool:
        return bool(self.rules or self.answers)

    def shares(self, exchange: Exchange, feature: str, model: str) -> tuple[list[Share], Terms | None]:
        """Which sums a request is paid from, and the terms of all budgets that are about it; None: none is.

        feature: "" if a model was asked for directly; model: the one it will probably go to."""
        caller = exchange.caller or NOBODY
        found: list[Share] = []
        which = 0
        for bit, rule in self._bits:
            about = rule.about
            if about is None or about(exchange, caller, feature, model):
                which |= bit
                if not rule.alone:
                    subject = rule.subject
                    whose = ALL if subject is None else subject(exchange, caller, feature, model)
                    found.append((rule, whose if len(whose) <= LONGEST_SUBJECT else whose[:LONGEST_SUBJECT]))
        if not which:
            return found, None
        terms = self._terms.get(which)
        if terms is None:
            # As many as there are kinds of requests: rules are about some of them or not.
            terms = self._terms[which] = _terms([r for at, r in enumerate(self.rules) if which >> at & 1])
        return found, terms


def _terms(rules: Sequence[Rule]) -> Terms:
    return Terms(
        alone=tuple(rule for rule in rules if rule.alone),
        hard=any(rule.refuses for rule in rules),
        watched=any(rule.downgrades or rule.settings.warn_at is not None for rule in rules),
        answer=min(rule.settings.answer_tokens for rule in rules),
        margin=max(rule.settings.prompt_margin for rule in rules),
    )


def every_budget(
    budgets: Sequence[BudgetSettings], short: Mapping[str, FeatureBudgetSettings | None]
) -> list[BudgetSettings]:
    """Those that are written out, then those of features. short: feature -> its budgets in short."""
    found = list(budgets)
    for feature, wanted in short.items():
        if wanted is not None:
            found += spelt_out(feature, wanted)
    return found


def plan_of(
    budgets: Sequence[BudgetSettings],
    short: Mapping[str, FeatureBudgetSettings | None] = MappingProxyType({}),
    answers: Mapping[str, AnswerTokenSettings | None] = MappingProxyType({}),
    default_answers: AnswerTokenSettings | None = None,
) -> Plan:
    """Budgets, ready for use. short: of each feature; answers: of each feature, in place of `default_answers`."""
    usual = default_answers or AnswerTokenSettings()
    bounds = {"": usual} | {feature: own or usual for feature, own in answers.items()}
    bounds = {name: each for name, each in bounds.items() if each != AnswerTokenSettings()}
    return Plan([Rule(each) for each in every_budget(budgets, short)], bounds)
