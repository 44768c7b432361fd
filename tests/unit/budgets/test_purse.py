"""What pays for attempts: the most that each can cost is set aside, what was not needed comes back."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from headgate.core.errors import BudgetSpent, BudgetsUnavailable, PriceUnknown, TooDearForBudget
from headgate.edge.dialects.anthropic_messages import AnthropicMessages
from headgate.exchange.exchange import Exchange
from headgate.providers.catalog.rates import Rates, Step
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Standing
from tests.support.aio import aio
from tests.support.budgeting import Budgeting, money

__all__: list[str] = []

MONTH = {"name": "month", "each": False, "usd": 10, "per": "prepaid", "wait": "0s"}
KEY = ("month", "*", 0)


@aio
async def test_what_an_attempt_may_cost_is_set_aside_and_the_rest_comes_back() -> None:
    """And the attempt knows how much it was, and from where."""
    bench = Budgeting(MONTH)
    exchange = await bench.asked()
    attempt = await bench.pay(exchange, 4)
    assert (attempt.reserved_nanos, attempt.pots) == (money(4), (KEY,))
    assert await bench.standing(KEY) == (0, money(4))
    assert exchange.purse is not None
    exchange.purse.settle(attempt, money("0.5"))
    assert await bench.standing(KEY) == (money("0.5"), 0)
    assert bench.till.settled_nanos == {"month": money("0.5")}


@aio
async def test_it_is_paid_from_all_budgets_or_from_none() -> None:
    """Also where only the last cannot pay; the refusal says which that was, and what is left of it."""
    bench = Budgeting(
        MONTH, {"name": "day", "of": "user", "usd": 3, "per": "day", "time_zone": "Asia/Tokyo", "wait": "0s"}
    )
    await bench.spend(2)
    exchange = await bench.asked()
    with pytest.raises(BudgetSpent) as raised:
        await bench.pay(exchange, 2)
    error = raised.value
    assert (error.status, error.code, error.budget, error.retryable) == (429, "budget_spent", "day", False)
    assert "3 USD a day for each user" in error.message
    assert "1 USD are left, and it may cost 2 USD" in error.message
    assert "there is money again at " in error.message
    assert error.retry_after is not None
    assert 0 < error.retry_after <= 86_400
    assert await bench.standing(KEY) == (money(2), 0)
    assert bench.till.refused == {"day": 1}
    await bench.spend(3, user="grace")
    await bench.spend(1)


@aio
async def test_a_prepaid_budget_says_no_time_because_there_is_none() -> None:
    """There is money again when somebody pays."""
    bench = Budgeting(MONTH)
    await bench.spend(9)
    with pytest.raises(BudgetSpent, match="deposits") as raised:
        await bench.spend(2)
    assert raised.value.retry_after is None
    bench.uses.deposits = {("month", "*"): money(5)}
    await bench.spend(2)


@aio
async def test_a_request_dearer_than_the_whole_is_told_that_waiting_does_not_help() -> None:
    """Not even when nothing is spent."""
    bench = Budgeting({"name": "day", "usd": 1, "per": "day"})
    with pytest.raises(TooDearForBudget, match="1 USD a day for each key") as raised:
        await bench.spend("1.5")
    assert (raised.value.code, raised.value.retry_after) == ("too_dear_for_budget", None)


@aio
async def test_a_budget_of_a_request_pays_all_its_attempts_together() -> None:
    """Failovers and hedges count; one that never left gives back."""
    bench = Budgeting({"name": "one", "usd": "0.02", "per": "request"})
    exchange = await bench.asked()
    first = await bench.pay(exchange, "0.012")
    assert (first.reserved_nanos, first.pots) == (money("0.012"), ())
    with pytest.raises(TooDearForBudget, match=r"0.02 USD a request.*0.024 USD with all its attempts"):
        await bench.pay(exchange, "0.012", kind="failover")
    assert exchange.purse is not None
    exchange.purse.settle(first, 0)
    await bench.pay(exchange, "0.02", kind="failover")
    await bench.spend("0.02")


@aio
async def test_a_cheaper_endpoint_may_fit_where_a_dear_one_does_not() -> None:
    """The refusal leaves nothing behind that would be in its way."""
    bench = Budgeting(MONTH)
    exchange = await bench.asked()
    with pytest.raises(BudgetSpent):
        await bench.pay(exchange, 11)
    await bench.pay(exchange, 10)


@aio
async def test_watched_budgets_never_refuse() -> None:
    """Those that only alert, and those that bring a cheaper model; both are counted."""
    bench = Budgeting(
        {"name": "soft", "usd": 1, "per": "prepaid", "when_spent": "alert"},
        {"name": "down", "usd": 1, "per": "prepaid", "when_spent": "downgrade", "downgrade_to": "small"},
    )
    for _ in range(3):
        await bench.spend(1)
    assert await bench.standing(("soft", "key_1", 0)) == (money(3), 0)
    assert await bench.standing(("down", "key_1", 0)) == (money(3), 0)


@aio
async def test_a_request_waits_for_what_others_may_give_back() -> None:
    """First come first served, and nobody overtakes; what it waited is told."""
    bench = Budgeting(MONTH | {"wait": "20s"})
    first = await bench.asked()
    held = await bench.pay(first, 8)
    paid: list[str] = []

    async def ask(name: str, usd: int) -> Exchange:
        exchange = await bench.asked()
        await bench.pay(exchange, usd)
        paid.append(name)
        return exchange

    large = asyncio.create_task(ask("large", 9))
    await asyncio.sleep(0)
    small = asyncio.create_task(ask("small", 1))
    while bench.till.line.waiting < 2:
        await asyncio.sleep(0)
    await asyncio.sleep(0.01)
    assert paid == []
    assert first.purse is not None
    first.purse.settle(held, money("0"))
    assert (await large).queued_seconds > 0
    await small
    assert paid == ["large", "small"]
    assert bench.till.line.paid == 2
    assert await bench.standing(KEY) == (0, money(10))


@aio
async def test_whoever_can_not_be_paid_any_more_is_refused_at_once() -> None:
    """When what was set aside is spent, waiting is over, long before its time."""
    bench = Budgeting(MONTH | {"wait": "20s"})
    first = await bench.asked()
    held = await bench.pay(first, 8)
    waiting = [asyncio.create_task(bench.spend(usd)) for usd in (3, 3, 2)]
    while bench.till.line.waiting < 3:
        await asyncio.sleep(0)
    assert first.purse is not None
    first.purse.settle(held, held.reserved_nanos)
    ends = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(end) for end in ends] == [BudgetSpent, BudgetSpent, Exchange]
    assert await bench.standing(KEY) == (money(10), 0)


@aio
async def test_waiting_in_vain_is_told_with_its_reason() -> None:
    """It is not spent: it is set aside for others, so trying again soon makes sense."""
    bench = Budgeting(MONTH | {"wait": "10ms"})
    await bench.pay(await bench.asked(), 8)
    with pytest.raises(BudgetSpent, match="set aside for requests under way") as raised:
        await bench.spend(3)
    assert raised.value.retry_after == 1.0
    assert "waited 0.01 s" in raised.value.message
    assert bench.till.line.in_vain == 1


@aio
async def test_nobody_waits_beyond_the_end_of_the_request() -> None:
    """Its deadline is nearer than the budget's patience."""
    bench = Budgeting(MONTH | {"wait": "20s"})
    await bench.pay(await bench.asked(), 8)
    late = await bench.asked()
    late.deadline = asyncio.get_running_loop().time() + 0.01
    with pytest.raises(BudgetSpent):
        await bench.pay(late, 3)


@aio
async def test_a_request_does_not_wait_for_itself() -> None:
    """Its own first attempt gives back only at its end: a hedge that does not fit beside it is refused at once."""
    bench = Budgeting(MONTH | {"wait": "20s"})
    exchange = await bench.asked()
    await bench.pay(exchange, 6)
    with pytest.raises(BudgetSpent, match="4 USD are left, and it may cost 6 USD"):
        await bench.pay(exchange, 6, kind="hedge")
    assert bench.till.line.waiting == 0


@aio
async def test_who_hangs_up_leaves_the_line_with_nothing_set_aside() -> None:
    """Also if it was paid for in that very moment."""
    bench = Budgeting(MONTH | {"wait": "20s"})
    first = await bench.asked()
    held = await bench.pay(first, 8)
    leaver = asyncio.create_task(bench.spend(3))
    while not bench.till.line.waiting:
        await asyncio.sleep(0)
    assert first.purse is not None
    first.purse.settle(held, 0)
    for _ in range(3):
        # Somewhere on the way from being paid to hearing of it.
        await asyncio.sleep(0)
    leaver.cancel()
    await asyncio.gather(leaver, return_exceptions=True)
    while bench.till.line.waiting:
        await asyncio.sleep(0)
    assert (await bench.standing(KEY))[1] == 0
    await bench.spend(7)


@aio
async def test_what_has_no_price_is_refused_by_a_budget_that_refuses() -> None:
    """With the model's name, and what to write; the price list is waited for before."""
    bench = Budgeting(MONTH)
    unpriced = bench.desk.endpoint(model="llama")
    exchange = await bench.asked()
    attempt = bench.attempt(exchange, unpriced)
    assert exchange.purse is not None
    with pytest.raises(PriceUnknown, match=r"none is known of `openai/llama`.*price = \{ input") as raised:
        await exchange.purse.reserve(exchange, attempt)  # type: ignore[misc]
    assert (raised.value.status, raised.value.code) == (429, "price_unknown")
    bench.prices.later = Rates((Step(0, 0, 0, 0, 0, 0),), money(3))
    await exchange.purse.reserve(exchange, attempt)  # type: ignore[misc]
    assert attempt.reserved_nanos == money(3)


@pytest.mark.parametrize("more", [{"unknown_price": "allow"}, {"when_spent": "alert"}])
@aio
async def test_what_has_no_price_passes_where_that_is_allowed(more: dict[str, Any]) -> None:
    """And where nothing is refused anyway. What it turns out to cost counts."""
    bench = Budgeting(MONTH | more)
    exchange = await bench.asked()
    attempt = bench.attempt(exchange, bench.desk.endpoint())
    assert exchange.purse is not None
    await exchange.purse.reserve(exchange, attempt)  # type: ignore[misc]
    assert attempt.reserved_nanos == 0
    exchange.purse.settle(attempt, money(1))
    assert await bench.standing(KEY) == (money(1), 0)


@aio
async def test_prompt_and_answer_are_priced_at_the_endpoint() -> None:
    """The answer at its limit, the prompt with its margin, as many answers as are wanted."""
    bench = Budgeting(MONTH | {"prompt_margin": 2})
    exchange = await bench.asked(max_tokens=1000, n=2)
    attempt = bench.attempt(exchange, bench.endpoint(0, output=3))
    assert exchange.purse is not None
    assert exchange.purse.reserve(exchange, attempt) is None
    assert attempt.reserved_nanos == money("0.006")
    again = bench.attempt(exchange, bench.endpoint(0, input=1))
    assert exchange.purse.reserve(exchange, again) is None
    assert again.reserved_nanos % 2000 == 0 < again.reserved_nanos


@aio
async def test_reasoning_that_another_wire_adds_is_paid_for() -> None:
    """A limit on the answer is raised by it where the wires differ."""
    bench = Budgeting(MONTH)
    exchange = await bench.asked(
        dialect=AnthropicMessages(), max_tokens=1000, thinking={"type": "enabled", "budget_tokens": 5000}
    )
    attempt = bench.attempt(exchange, bench.endpoint(0, output=1))
    assert exchange.purse is not None
    assert exchange.purse.reserve(exchange, attempt) is None
    assert attempt.reserved_nanos == 6000 * 1000


@aio
async def test_an_answer_that_is_gone_on_with_is_part_of_the_next_prompt() -> None:
    """It is sent along, and may be as long as an answer may be."""
    bench = Budgeting(MONTH)
    exchange = await bench.asked(max_tokens=1000)
    endpoint = bench.endpoint(0, input=1)
    first, second = bench.attempt(exchange, endpoint), bench.attempt(exchange, endpoint, kind="resume")
    assert exchange.purse is not None
    for attempt in (first, second):
        assert exchange.purse.reserve(exchange, attempt) is None
    assert second.reserved_nanos - first.reserved_nanos == 1250 * 1000


class Away:
    """Purses that are not there."""

    heard: Any = None

    async def reserve(self, hold: Hold) -> Standing:
        raise StoreUnavailable("no purses")


@aio
async def test_purses_that_are_away_are_told_as_such() -> None:
    """It is not the caller's mistake, and trying again may help."""
    away: Any = Away()
    bench = Budgeting(MONTH, purses=away)
    with pytest.raises(BudgetsUnavailable) as raised:
        await bench.spend(1)
    assert (raised.value.status, raised.value.retryable, raised.value.detail) == (503, True, "no purses")
