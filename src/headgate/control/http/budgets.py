"""`/api/budgets` and `/api/deposits`: how far each budget is spent; money put into prepaid ones."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

import msgspec

from headgate.control.budgets import (
    AlreadyDeposited,
    BudgetState,
    NoSuchBudget,
    NotPrepaid,
    budget_states,
    deposit,
)
from headgate.control.http.fields import Maybe, Name, Text
from headgate.control.http.problems import Problem
from headgate.control.http.route import Asked, route
from headgate.core.clock import SystemClock
from headgate.core.money import usd
from headgate.core.near import did_you_mean

__all__ = ["ROUTES", "Budgets", "Deposit", "NewDeposit"]

_MOST_USD = Decimal(10) ** 9


class BudgetsQuery(msgspec.Struct, kw_only=True):
    """Which sums."""

    budget: Maybe = msgspec.UNSET
    """Only those of this budget."""
    limit: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100
    """How many sums of each budget at most, the fullest first."""


class BudgetTold(msgspec.Struct, kw_only=True):
    """A sum of a budget."""

    budget: str
    of: str
    """Whose sums there are: key, user, team, ...; empty: one of all together."""
    subject: str
    """Whose this is; `*`: of all together."""
    per: str
    """day, week, month or prepaid."""
    spent_usd: str
    """Calls under way are counted when they are over."""
    amount_usd: str
    """What it holds when nothing is spent, deposits included."""
    part: float
    """The part that is spent: 1 is all."""
    when_spent: str
    """refuse, alert or downgrade."""
    began: datetime | None
    begins_anew: datetime | None
    """null: it is prepaid."""


class Budgets(msgspec.Struct, kw_only=True):
    """Budgets, in the order of the configuration."""

    items: list[BudgetTold]
    left_out: int
    """Sums that are not among the items, for `limit`."""
    alone: list[str]
    """Budgets that pay each request for itself, so that there is no sum."""


class NewDeposit(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Money for a prepaid budget."""

    budget: Annotated[Name, msgspec.Meta(examples=["credits"])]
    """Its name."""
    usd: Annotated[str, msgspec.Meta(pattern=r"^-?[0-9]{1,10}(\.[0-9]{1,9})?$", examples=["50", "-12.50"])]
    """How much, as text; negative: taken out again."""
    subject: Text = ""
    """Whose sum: the user, team, key (its id) ... that the budget counts by; empty for one of all together."""
    note: Text = ""
    """Your words on it, for the ledger."""
    reference: Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[A-Za-z0-9_.:-]*$")] = ""
    """Your name for this payment, such as an invoice's number: told a second time it changes nothing (409). Without one, a
    request that is sent twice pays twice."""


class Deposit(msgspec.Struct, kw_only=True):
    """What was put in."""

    event: str
    """Its name in the ledger."""
    budget: str
    subject: str
    usd: str
    note: str


async def list_budgets(asked: Asked[BudgetsQuery, None]) -> Budgets:
    """Tell how far each budget is spent in its present period, the fullest sums first. What `headgate budgets` prints."""
    query, plan = asked.query, asked.desk.budgets()
    only = query.budget
    if only is not msgspec.UNSET and only not in plan.by_name:
        raise Problem("not_found", f"no budget `{only}`{did_you_mean(only, plan.by_name)}", param="budget")
    states = await budget_states(asked.desk.ledger, plan, int(time.time())) if plan.rules else {}
    found = {name: each for name, each in states.items() if only in (msgspec.UNSET, name)}
    return Budgets(
        items=[_told(one) for each in found.values() for one in each[: query.limit]],
        left_out=sum(max(len(each) - query.limit, 0) for each in found.values()),
        alone=[rule.name for rule in plan.rules if rule.alone and only in (msgspec.UNSET, rule.name)],
    )


async def pay_in(asked: Asked[None, NewDeposit]) -> Deposit:
    """Put money into a prepaid budget. Every gateway knows of it within a second or so.

    It stands in the ledger and in the log of changes."""
    wanted = asked.body
    amount = Decimal(wanted.usd)
    if not amount or abs(amount) > _MOST_USD:
        raise Problem("invalid_request", "`usd` is an amount other than 0, a billion at most", param="usd")
    if not (wanted.note + wanted.subject).isprintable():
        raise Problem("invalid_request", "`note` or `subject` holds characters that cannot be printed")
    try:
        entry = await deposit(
            asked.desk.ledger,
            asked.desk.budgets(),
            wanted.budget,
            amount,
            subject=wanted.subject,
            note=wanted.note,
            reference=wanted.reference,
            actor=asked.actor,
            clock=SystemClock(),
        )
    except NoSuchBudget as missing:
        near = did_you_mean(missing.name, missing.names) or "; none is prepaid"
        raise Problem("not_found", f"{missing}{near}", param="budget") from None
    except NotPrepaid as wrong:
        raise Problem("invalid_request", str(wrong), param="subject") from None
    except AlreadyDeposited as done:
        raise Problem("conflict", str(done), param="reference") from None
    return Deposit(
        event=entry.event,
        budget=entry.budget,
        subject=entry.subject,
        usd=f"{usd(-entry.nanos):f}",
        note=entry.note,
    )


def _told(state: BudgetState) -> BudgetTold:
    settings = state.rule.settings
    return BudgetTold(
        budget=state.rule.name,
        of=settings.of if settings.each else "",
        subject=state.subject,
        per=settings.per,
        spent_usd=f"{usd(state.spent):f}",
        amount_usd=f"{usd(state.amount):f}",
        part=round(state.fraction, 6),
        when_spent=settings.when_spent,
        began=_moment(state.begins),
        begins_anew=_moment(state.ends),
    )


def _moment(second: int) -> datetime | None:
    return datetime.fromtimestamp(second, UTC) if second else None


ROUTES = (
    route("GET", "/api/budgets", "api.budgets.list", list_budgets, problems=("not_found",)),
    route(
        "POST", "/api/deposits", "api.budgets.deposit", pay_in, status=201, problems=("not_found", "conflict")
    ),
)
