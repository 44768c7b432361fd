"""What budgets must agree on: that each has a sum, a calendar, and is about callers, features and models that exist."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from headgate.budgets.settings import (
    SHORTHAND,
    AnswerTokenSettings,
    BudgetSettings,
    FeatureBudgetSettings,
    spelt_out,
)
from headgate.config.model import Settings
from headgate.config.problems import Key, did_you_mean
from headgate.exchange.subjects import subject_problem

__all__ = ["check_budgets"]

Found = Iterator[tuple[Key, str]]
Names = Mapping[str, frozenset[str]]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


def check_budgets(settings: Settings, names: Names) -> Found:
    """Key and what would be right, for everything that cannot work."""
    seen = {
        f"{feature}.{each}"
        for feature, wanted in settings.features.items()
        if wanted.budget is not None
        for each in SHORTHAND
        if getattr(wanted.budget, each) is not None
    }
    for number, budget in enumerate(settings.budgets):
        key: Key = ("budgets", number)
        if not _NAME.fullmatch(budget.name):
            yield (
                (*key, "name"),
                "is letters, digits, `-`, `_` and `.`, at most 64 of them: it stands in a header",
            )
        elif budget.name in seen:
            yield (*key, "name"), "every budget has a name of its own: what is spent is counted under it"
        seen.add(budget.name)
        yield from _budget(key, budget, names)
        for at, feature in enumerate(budget.only.feature):
            if feature not in names["features"]:
                near = did_you_mean(feature, sorted(names["features"]))
                yield (*key, "only", "feature", at), f"no feature `{feature}`{near}"
    for name, wanted in settings.features.items():
        if wanted.budget is not None:
            yield from _short(("features", name, "budget"), name, wanted.budget, names)
        if wanted.answer_tokens is not None:
            yield from _answers(("features", name, "answer_tokens"), wanted.answer_tokens)
    yield from _answers(("defaults", "answer_tokens"), settings.defaults.answer_tokens)


def _budget(key: Key, budget: BudgetSettings, names: Names) -> Found:
    if wrong := subject_problem(budget.of):
        yield (*key, "of"), wrong
    if not budget.usd.is_finite() or budget.usd < 0:
        yield (*key, "usd"), "must be an amount of USD, 0 or more"
    elif budget.usd == 0 and budget.per != "prepaid":
        yield (*key, "usd"), "is 0: nothing could be paid from it; write how much may be spent"
    if budget.per == "request":
        for name in ("wait", "warn_at", "alert_at"):
            if (said := getattr(budget, name)) and said != getattr(_PLAIN, name):
                yield (
                    (*key, name),
                    '`per = "request"` keeps no sum: there is nothing to wait for or to warn of',
                )
    if budget.wait < 0:
        yield (*key, "wait"), "must be 0 or more"
    if budget.answer_tokens < 1:
        yield (*key, "answer_tokens"), "must be at least 1"
    if not 0.1 <= budget.prompt_margin <= 100:
        yield (*key, "prompt_margin"), "must be from 0.1 to 100"
    yield from _parts(key, budget)
    yield from _downgrade(key, budget, names)


def _short(key: Key, feature: str, short: FeatureBudgetSettings, names: Names) -> Found:
    """The short form. What concerns all of them is told once."""
    budgets = spelt_out(feature, short)
    if not budgets:
        yield key, f"has no sum; write one of {', '.join(f'`{name}`' for name in SHORTHAND[:4])} … `month`"
    for each in budgets:
        if not each.usd.is_finite() or each.usd <= 0:
            yield (*key, each.name.removeprefix(f"{feature}.")), "must be an amount of USD, more than 0"
    lasting = [each for each in budgets if each.per != "request"]
    if lasting:
        yield from _parts(key, lasting[0])
        yield from _downgrade(key, lasting[0], names)
    elif short.when_spent != "refuse":
        yield (*key, "when_spent"), "`per_request` always refuses; write `day`, `week` or `month` too"


def _parts(key: Key, budget: BudgetSettings | FeatureBudgetSettings) -> Found:
    if not _is_zone(budget.time_zone):
        near = did_you_mean(budget.time_zone, sorted(available_timezones()), listed=0)
        hint = near if "mean" in near else "; write one like `Europe/Berlin`"
        yield (*key, "time_zone"), f'"{budget.time_zone}" is no time zone{hint}'
    for at, part in enumerate(budget.alert_at):
        if not 0 < part <= 100:
            yield (*key, "alert_at", at), "must be more than 0: it is a part of the sum, 0.8 for 80 %"
    if budget.warn_at is not None and not 0 <= budget.warn_at <= 1:
        yield (*key, "warn_at"), "must be from 0 to 1: it is a part of the sum, 0.8 for 80 %"


def _downgrade(key: Key, budget: BudgetSettings, names: Names) -> Found:
    to = budget.downgrade_to
    if budget.when_spent != "downgrade":
        if to:
            yield (*key, "downgrade_to"), 'counts only with `when_spent = "downgrade"`'
        return
    if budget.per == "request":
        yield (
            (*key, "when_spent"),
            '`per = "request"` keeps no sum that could be nearly spent; write `refuse`',
        )
    if not 0 < budget.downgrade_at <= 1:
        yield (*key, "downgrade_at"), "must be more than 0, and 1 at most: it is a part of the sum"
    provider, slash, model = to.partition("/")
    if to in names["models"] or (provider in names["providers"] and model):
        return
    if not to:
        yield (*key, "downgrade_to"), "is missing: which model answers then?"
    elif to in names["features"]:
        yield (*key, "downgrade_to"), f"`{to}` is a feature; name a model"
    elif slash and provider not in names["providers"]:
        yield (
            (*key, "downgrade_to"),
            f"no provider `{provider}`{did_you_mean(provider, sorted(names['providers']))}",
        )
    else:
        near = did_you_mean(to, sorted(names["models"]))
        yield (
            (*key, "downgrade_to"),
            f"no model `{to}`{near or '; add a [models.NAME] section, or write `provider/model`'}",
        )


def _answers(key: Key, wanted: AnswerTokenSettings) -> Found:
    for name in ("default", "most"):
        value: int | None = getattr(wanted, name)
        if value is not None and value < 1:
            yield (*key, name), "must be at least 1"
    if wanted.default is not None and wanted.most is not None and wanted.default > wanted.most:
        yield (*key, "default"), f"is more than `most = {wanted.most}`"


def _is_zone(name: str) -> bool:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


_PLAIN = BudgetSettings(name="plain", per="request")
