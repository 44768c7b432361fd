"""The stage: whose money it is, how long answers may be, and when a cheaper model answers."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.budgets.plan import plan_of
from headgate.budgets.settings import AnswerTokenSettings, FeatureBudgetSettings, spelt_out
from headgate.core.messages import ChatRequest
from headgate.core.tokens import tokens_of_body
from headgate.exchange.exchange import Exchange
from tests.support.aio import aio
from tests.support.budgeting import Budgeting, budgets, headers, money

__all__: list[str] = []

HARD = {"name": "month", "each": False, "usd": 10, "per": "month"}


def limit(exchange: Exchange) -> int | None:
    request = exchange.request
    assert isinstance(request, ChatRequest)
    assert request.max_tokens == exchange.peek.max_tokens
    return request.max_tokens


def bounded(default: int | None, most: int | None, *written: dict[str, Any]) -> Budgeting:
    answers = AnswerTokenSettings(default=default, most=most)
    return Budgeting(plan=plan_of(budgets(*written), {}, {"support-chat": answers}))


@aio
async def test_a_request_that_no_budget_is_about_has_no_purse() -> None:
    """And is not touched."""
    bench = Budgeting(HARD | {"only": {"team": ["other"]}})
    exchange = await bench.asked()
    assert (exchange.purse, exchange.edited, exchange.reply_headers) == (None, False, [])


@pytest.mark.parametrize(
    ("written", "subject"),
    [
        ({"of": "key"}, "key_1"),
        ({"of": "user"}, "ada"),
        ({"of": "team"}, "canal"),
        ({"of": "tenant"}, "acme"),
        ({"of": "feature"}, "support-chat"),
        ({"of": "tag:plan"}, ""),
        ({"of": "key", "each": False}, "*"),
    ],
)
@aio
async def test_each_has_a_sum_of_its_own(written: dict[str, Any], subject: str) -> None:
    """Or all share one; who names none shares one with all others who name none."""
    bench = Budgeting({"name": "a", "usd": 5, "per": "prepaid"} | written)
    exchange = await bench.spend(1)
    assert exchange.attempts[0].pots == (("a", subject, 0),)


@aio
async def test_a_sum_is_of_the_calendar_period_that_a_call_leaves_in() -> None:
    """A call that leaves after midnight is paid by the new day, whenever the request came."""
    bench = Budgeting({"name": "day", "usd": 5, "per": "day"})
    exchange = await bench.asked()
    first = await bench.pay(exchange, 1)
    bench.desk.clock.advance(86_400)
    second = await bench.pay(exchange, 1, kind="failover")
    assert second.pots[0][2] - first.pots[0][2] == 86_400
    assert exchange.purse is not None
    for attempt in (first, second):
        exchange.purse.settle(attempt, money(1))
        assert await bench.standing(attempt.pots[0]) == (money(1), 0)


@aio
async def test_an_answer_without_an_end_gets_one_where_a_budget_refuses() -> None:
    """What has no end can have no price. It is written down."""
    bench = Budgeting(HARD, HARD | {"name": "b", "answer_tokens": 300})
    exchange = await bench.asked()
    assert (limit(exchange), exchange.edited) == (300, False)
    assert exchange.notes["answer_tokens"].startswith("limited to 300")
    assert "x-headgate-answer-tokens" not in headers(exchange)
    said = await bench.asked(max_completion_tokens=7)
    assert (limit(said), said.edited) == (7, False)


@aio
async def test_a_watched_budget_leaves_the_request_alone() -> None:
    """As much is taken to come as the setting says."""
    bench = Budgeting(HARD | {"when_spent": "alert", "answer_tokens": 300})
    exchange = await bench.asked()
    assert (limit(exchange), exchange.edited) == (None, False)
    attempt = bench.attempt(exchange, bench.endpoint(0, output=1))
    assert exchange.purse is not None
    assert exchange.purse.reserve(exchange, attempt) is None
    assert attempt.reserved_nanos == 300_000


@pytest.mark.parametrize(
    ("default", "most", "said", "sent"),
    [
        (500, 2000, None, 500),
        (None, 2000, None, 2000),
        (500, None, None, 500),
        (500, 2000, 1500, 1500),
        (500, 2000, 2001, 2000),
        (500, None, 9000, 9000),
    ],
)
@aio
async def test_answers_are_as_long_as_the_feature_says(
    default: int | None, most: int | None, said: int | None, sent: int
) -> None:
    """With or without a budget; who asked for more is told how much there is."""
    for bench in (bounded(default, most), bounded(default, most, HARD)):
        exchange = await bench.asked(**({} if said is None else {"max_tokens": said}))
        assert limit(exchange) == sent
        clamped = said is not None and said > sent
        assert exchange.edited == clamped
        assert headers(exchange).get("x-headgate-answer-tokens") == (str(sent) if clamped else None)


@aio
async def test_what_the_budget_edits_is_estimated_from_the_callers_bytes() -> None:
    """The canonical form of a request is not what the caller sent; but for the limit it says the same."""
    bench = bounded(None, 50, HARD | {"prompt_margin": 1})
    exchange = await bench.asked(max_tokens=100)
    assert exchange.edited
    attempt = bench.attempt(exchange, bench.endpoint(0, input=1))
    assert exchange.purse is not None
    assert exchange.purse.reserve(exchange, attempt) is None
    assert attempt.reserved_nanos == 1000 * tokens_of_body(exchange.body)


@aio
async def test_counting_tokens_costs_nothing_and_vectors_their_prompt() -> None:
    """No budget is asked for the first; no answer is reckoned for the second."""
    bench = Budgeting(HARD)
    for operation, paid in (("count_tokens", False), ("models", False), ("embeddings", True)):
        exchange = bench.desk.exchange(operation=operation)
        await bench.stage(exchange, _proceed)
        assert (exchange.purse is not None) == paid
        assert not exchange.edited
        if exchange.purse is not None:
            attempt = bench.attempt(exchange, bench.endpoint(0, output=1))
            assert exchange.purse.reserve(exchange, attempt) is None
            assert attempt.reserved_nanos == 0


@aio
async def test_from_the_threshold_on_the_cheaper_model_answers() -> None:
    """And the caller is told which budget is the reason. A shadow copy keeps its own model."""
    bench = Budgeting(HARD | {"when_spent": "downgrade", "downgrade_to": "small", "downgrade_at": 0.8})
    assert (await bench.spend(7)).route_as == ""
    assert (await bench.spend(1)).route_as == ""
    exchange = await bench.asked()
    assert (exchange.route_as, exchange.feature) == ("small", "support-chat")
    assert headers(exchange) == {"x-headgate-downgraded": "month"}
    assert exchange.notes["downgraded"] == "to small: budget month is spent to 80 %"
    assert bench.till.downgraded == {"month": 1}
    copy = bench.exchange()
    copy.purpose = "shadow"
    await bench.stage(copy, _proceed)
    assert copy.route_as == ""
    bench.desk.clock.advance(31 * 86_400)
    assert (await bench.asked()).route_as == ""


@aio
async def test_callers_are_told_before_it_is_spent() -> None:
    """Of the fullest budget that wants it, from the part on that it says."""
    bench = Budgeting(
        HARD | {"warn_at": 0.5}, {"name": "user", "of": "user", "usd": 8, "per": "prepaid", "warn_at": 0.5}
    )
    assert headers(await bench.spend(4)) == {}
    told = headers(await bench.spend(2))
    assert told == {"x-headgate-budget": "user; used=0.5"}
    assert headers(await bench.spend(0, user="grace"))["x-headgate-budget"].startswith(
        "month; used=0.6; resets=20"
    )


def test_the_short_form_is_spelt_out() -> None:
    """Each sum a budget of its own, about that feature alone; a request's always refuses."""
    short = FeatureBudgetSettings(
        per_request=money(1),  # type: ignore[arg-type]
        per_user_day=money(2),  # type: ignore[arg-type]
        month=money(3),  # type: ignore[arg-type]
        when_spent="downgrade",
        downgrade_to="small",
    )
    found = spelt_out("f", short)
    assert [(each.name, each.per, each.of, each.each, each.when_spent) for each in found] == [
        ("f.per_request", "request", "feature", False, "refuse"),
        ("f.per_user_day", "day", "user", True, "downgrade"),
        ("f.month", "month", "feature", False, "downgrade"),
    ]
    assert all(each.only.feature == ["f"] for each in found)


async def _proceed(exchange: Exchange) -> Any:
    return None
