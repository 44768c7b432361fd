"""Budgets for operators: how far each is spent, deposits, and what the metrics say."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from headgate.budgets.plan import plan_of
from headgate.control.budget_metrics import watch_budgets
from headgate.control.budgets import NoSuchBudget, NotPrepaid, budget_states, deposit
from headgate.core.errors import BudgetSpent
from headgate.stores.backends.memory import MemoryAudit, MemorySpans
from headgate.stores.backends.memory.ledger import MemoryLedger
from headgate.stores.sink import Batch, Position, Use
from headgate.telemetry.metrics import Metrics
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.budgeting import Budgeting, budgets, money

__all__: list[str] = []

PLAN = plan_of(
    budgets(
        {"name": "day", "of": "user", "usd": 2, "per": "day"},
        {"name": "credits", "of": "team", "usd": 1, "per": "prepaid"},
        {"name": "all", "each": False, "usd": 100, "per": "month", "when_spent": "alert"},
        {"name": "one", "usd": 1, "per": "request"},
    )
)
CLOCK = FakeClock()
NOW = CLOCK.wall_ns() // 10**9
TODAY = NOW - NOW % 86_400


class Books:
    """A ledger in memory."""

    def __init__(self) -> None:
        self.spans, self.audit = MemorySpans(), MemoryAudit()
        self.ledger = MemoryLedger(self.spans, self.audit)

    def spend(self, budget: str, subject: str, period: int, usd: str) -> None:
        """As a batch of records does."""
        use = Use(1, budget, subject, period, money(usd))
        self.spans.write(Batch(journal="j", position=Position(), uses=[use]))


@aio
async def test_every_budget_is_listed_with_its_sums_of_now() -> None:
    """The fullest first; those of yesterday are over; one sum for all is there from the beginning."""
    books = Books()
    books.spend("day", "ada", TODAY, "0.5")
    books.spend("day", "grace", TODAY, "1.5")
    books.spend("day", "grace", TODAY - 86_400, "2")
    books.spend("gone", "x", TODAY, "2")
    states = await budget_states(books.ledger, PLAN, NOW)
    assert list(states) == ["day", "credits", "all"]
    assert [(each.subject, each.spent, each.fraction) for each in states["day"]] == [
        ("grace", money("1.5"), 0.75),
        ("ada", money("0.5"), 0.25),
    ]
    assert states["day"][0].ends == TODAY + 86_400
    assert states["credits"] == []
    assert [(each.subject, each.spent, each.amount) for each in states["all"]] == [("*", 0, money(100))]


@aio
async def test_a_deposit_is_in_the_ledger_and_in_the_audit_log() -> None:
    """Two are two; what is taken out again counts against."""
    books = Books()
    for amount, note in ((Decimal(50), "invoice 17"), (Decimal("-12.5"), "")):
        await deposit(
            books.ledger, PLAN, "credits", amount, subject="web", note=note, actor="cli:ann", clock=CLOCK
        )
    assert await books.ledger.deposits() == {("credits", "web"): money("37.5")}
    (state,) = (await budget_states(books.ledger, PLAN, NOW))["credits"]
    assert (state.subject, state.spent, state.amount, state.ends) == ("web", 0, money("38.5"), 0)
    first, second = await books.audit.since(0, 10)
    assert (first.actor, first.action, first.subject) == ("cli:ann", "budget.deposit", "credits")
    facts = json.loads(first.after)
    assert (facts["for"], facts["usd"], facts["note"]) == ("web", "50.000000000", "invoice 17")
    assert json.loads(second.after)["usd"] == "-12.500000000"


@pytest.mark.parametrize(
    ("name", "subject", "error", "said"),
    [
        ("credit", "web", NoSuchBudget, "no budget `credit`"),
        ("day", "ada", NotPrepaid, "begins anew each day"),
        ("credits", "", NotPrepaid, "say whose with `--for`"),
    ],
)
@aio
async def test_money_goes_only_where_it_can_be_used_up(
    name: str, subject: str, error: type[Exception], said: str
) -> None:
    """With what would be right."""
    books = Books()
    with pytest.raises(error, match=said):
        await deposit(books.ledger, PLAN, name, Decimal(5), subject=subject, actor="cli:ann", clock=CLOCK)
    assert await books.ledger.deposits() == {}


@aio
async def test_metrics_tell_of_budgets_and_not_of_whom() -> None:
    """Every budget from 0 on, so that the first event is seen as a rise."""
    bench = Budgeting(
        {"name": "user", "of": "user", "usd": 10, "per": "prepaid", "wait": "0s"},
        {"name": "one", "usd": 20, "per": "request"},
        {"name": "down", "usd": 4, "per": "prepaid", "when_spent": "downgrade", "downgrade_to": "small"},
    )
    metrics = Metrics()
    watch_budgets(metrics, bench.till)
    assert 'headgate_budget_refused_total{budget="one"} 0' in metrics.text().decode()
    await bench.spend(8)
    await bench.spend(1, user="grace")
    with pytest.raises(BudgetSpent):
        await bench.spend(3)
    text = metrics.text().decode()
    for line in (
        'headgate_budget_spent_usd{budget="user"} 9.0',
        'headgate_budget_limit_usd{budget="user"} 10.0',
        'headgate_budget_used{budget="user"} 0.8',
        'headgate_budget_settled_usd_total{budget="user"} 9.0',
        'headgate_budget_refused_total{budget="user"} 1',
        'headgate_budget_downgraded_total{budget="down"} 2',
        "headgate_budget_waiting 0",
    ):
        assert line in text
    assert "grace" not in text
