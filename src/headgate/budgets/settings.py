"""Budgets as they are written in the configuration."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from headgate.core.section import Duration, Section
from headgate.exchange.subjects import OnlySettings

__all__ = [
    "SHORTHAND",
    "AnswerTokenSettings",
    "BudgetSettings",
    "FeatureBudgetSettings",
    "Per",
    "UnknownPrice",
    "WhenSpent",
    "spelt_out",
]

Per = Literal["request", "day", "week", "month", "prepaid"]
WhenSpent = Literal["refuse", "alert", "downgrade"]
UnknownPrice = Literal["refuse", "allow"]


class BudgetSettings(Section, frozen=True):
    """A budget. Any number may hold at once: a request is paid from all that are about it, or is refused."""

    name: str
    """What it is called in messages, headers and reports. What is spent is kept under it: renamed, it begins anew."""
    per: Per
    """`day`, `week` (from Monday) or `month`: by the calendar of `time_zone`. `request`: each request for itself.
    `prepaid`: until it is used up; `headgate budgets deposit` fills it."""
    usd: Decimal = Decimal(0)
    """How much may be spent in `per`, in USD. Of a prepaid budget: what it begins with; deposits come on top."""
    of: str = "key"
    """Whose it is: `key`, `user`, `team`, `tenant`, `feature`, `model` (that the route names) or `tag:NAME`. Requests that name
    none share one."""
    each: bool = True
    """Each has a sum of its own. false: one sum for all together."""
    only: OnlySettings = OnlySettings()
    """Which requests it is about. Left out: all."""
    time_zone: str = "UTC"
    """Whose calendar counts, such as `Europe/Berlin`."""
    when_spent: WhenSpent = "refuse"
    """refuse: what it cannot pay for is refused; before each call the most that it can cost is set aside, so the budget is not
    exceeded by callers who come at the same time. alert: it is only watched. downgrade: never refused, but from `downgrade_at`
    on `downgrade_to` answers."""
    downgrade_to: str = ""
    """The model that answers then: a name from `[models]`, or `provider/model`."""
    downgrade_at: float = 0.8
    """The part of the sum from which on it does."""
    alert_at: list[float] = msgspec.field(default_factory=lambda: [0.5, 0.8, 1.0])
    """Parts of the sum at which somebody is told, once in a period: see `[[alerts]]`. Empty: never."""
    warn_at: float | None = None
    """The part of the sum from which on callers are told in the header `x-headgate-budget`. Left out: never."""
    wait: Duration = Duration(2)
    """How long a request waits if only what is set aside for others is in its way. `0s`: it is refused at once."""
    unknown_price: UnknownPrice = "refuse"
    """What becomes of a request to a model of which no price is known, where the budget refuses: nobody can tell what it will
    cost. allow: it costs the budget nothing."""
    answer_tokens: int = 4096
    """The most tokens of an answer where neither the caller nor `answer_tokens` of feature or defaults says it: what has no
    end can have no price. Only where the budget refuses; else as much is taken to come."""
    prompt_margin: float = 1.25
    """The prompt's tokens are estimated, and this many times as many are set aside."""


class FeatureBudgetSettings(Section, frozen=True):
    """Budgets of a feature, in short. All of them hold, and each is one of `[[budgets]]` that is called `FEATURE.NAME`."""

    per_request: Decimal | None = None
    """USD for each request."""
    per_user_day: Decimal | None = None
    """USD for each end user, a day."""
    per_user_week: Decimal | None = None
    """The same a week."""
    per_user_month: Decimal | None = None
    """The same a month."""
    per_key_day: Decimal | None = None
    """USD for each key, a day."""
    per_key_week: Decimal | None = None
    """The same a week."""
    per_key_month: Decimal | None = None
    """The same a month."""
    per_team_day: Decimal | None = None
    """USD for each team, a day."""
    per_team_week: Decimal | None = None
    """The same a week."""
    per_team_month: Decimal | None = None
    """The same a month."""
    day: Decimal | None = None
    """USD for the whole feature, a day."""
    week: Decimal | None = None
    """The same a week."""
    month: Decimal | None = None
    """The same a month."""
    time_zone: str = "UTC"
    """Whose calendar counts."""
    when_spent: WhenSpent = "refuse"
    """What happens when one of them is spent; `per_request` always refuses."""
    downgrade_to: str = ""
    """With `downgrade`: the model that answers then."""
    downgrade_at: float = 0.8
    """With `downgrade`: from which part of a sum on."""
    alert_at: list[float] = msgspec.field(default_factory=lambda: [0.5, 0.8, 1.0])
    """Parts of each sum at which somebody is told."""
    warn_at: float | None = None
    """The part of a sum from which on callers are told."""


class AnswerTokenSettings(Section, frozen=True):
    """How long answers may be."""

    default: int | None = None
    """Tokens of an answer to a request that does not limit it; left out, `most`."""
    most: int | None = None
    """Tokens of any answer: a request that asks for more gets this, and the header `x-headgate-answer-tokens` says so."""


SHORTHAND = tuple(
    name
    for name in FeatureBudgetSettings.__struct_fields__
    if name.startswith("per_") or name in ("day", "week", "month")
)
"""What the short form may name, each a budget."""


def spelt_out(feature: str, short: FeatureBudgetSettings) -> list[BudgetSettings]:
    """The budgets behind the short form."""
    found = []
    for name in SHORTHAND:
        usd: Decimal | None = getattr(short, name)
        if usd is None:
            continue
        alone = name == "per_request"
        whose, _, per = name.removeprefix("per_").rpartition("_")
        found.append(
            BudgetSettings(
                name=f"{feature}.{name}",
                usd=usd,
                per=per,  # type: ignore[arg-type]
                of=whose or "feature",
                each=bool(whose),
                only=OnlySettings(feature=[feature]),
                time_zone=short.time_zone,
                when_spent="refuse" if alone else short.when_spent,
                downgrade_to="" if alone else short.downgrade_to,
                downgrade_at=short.downgrade_at,
                alert_at=[] if alone else short.alert_at,
                warn_at=None if alone else short.warn_at,
            )
        )
    return found
