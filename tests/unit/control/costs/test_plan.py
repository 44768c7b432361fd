"""The planner: the worked example to the cent, and what must hold whatever is assumed."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.control.costs.plan import Assumptions, plan
from headgate.control.costs.prices import UnitPrice, parse_price

__all__: list[str] = []

D = Decimal
DEAR, CHEAP = parse_price("0.045/1k"), parse_price("0.0015/1k")
PARTS = st.decimals(0, 1, places=4)
AMOUNTS = st.decimals(0, 10**6, places=2)
PRICES = st.builds(
    UnitPrice, st.just("p"), *[st.decimals(0, 1000, places=6)] * 2, st.decimals(0, 1, places=6)
)


def example(**given):
    asked: dict[str, Any] = {"conversations": D(10_000), "messages": D(10), "tokens": D(500), "price": DEAR}
    return plan(Assumptions(**(asked | given)))


def test_the_worked_example_comes_out_to_the_cent():
    """10,000 x 10 x 500 tokens at $0.045 per 1,000; then 200 tokens, 70 % at $0.0015, 30 % cache hits."""
    found = example(tokens_after=D(200), shares=[(CHEAP, D("0.7")), (DEAR, D("0.3"))], cache=D("0.3"))
    assert [(step.measure, step.tokens, step.usd_day, step.usd_month) for step in found.steps] == [
        ("now", 50_000_000, 2250, 67_500),
        ("tokens", 20_000_000, 900, 27_000),
        ("shares", 20_000_000, 291, 8_730),
        ("cache", 14_000_000, D("203.70"), 6_111),
    ]
    assert [part.usd for part in found.after.parts] == [D("14.70"), 189]
    assert found.before.usd_month - found.after.usd_month == 61_389


def test_a_measure_that_is_not_taken_is_no_step():
    """Without any, there is what it costs now."""
    found = example()
    assert [step.measure for step in found.steps] == ["now"]
    assert found.saved_part == 0 and found.months == []


def test_what_the_shares_leave_stays_where_it_is():
    """70 % elsewhere leaves 30 % at today's price."""
    given_whole = example(shares=[(CHEAP, D("0.7")), (DEAR, D("0.3"))])
    assert example(shares=[(CHEAP, D("0.7"))]).after == given_whole.after


def test_answers_have_their_own_price_and_calls_a_fee():
    """A quarter of 1,000 tokens is answer; each of 20 messages has the fee on top."""
    price = UnitPrice("x", D(1), D(4), D("0.5"))
    found = plan(Assumptions(conversations=D(10), messages=D(2), tokens=D(1000), price=price))
    assert found.after.usd_day == D("0.015") + D("0.020") + 10


def test_growth_multiplies_month_by_month():
    """A tenth more each month, from the second one on."""
    found = example(cache=D("0.5"), growth=D("0.1"), months=3)
    assert [month.before for month in found.months] == [67_500, 74_250, 81_675]
    assert [month.after * 2 for month in found.months] == [67_500, 74_250, 81_675]
    assert found.months[2].conversations == 12_100


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cache": D("1.1")}, "between 0 and 1"),
        ({"answers": D("-0.1")}, "between 0 and 1"),
        ({"tokens": D(-1)}, "0 or more"),
        ({"tokens_after": D("NaN")}, "0 or more"),
        ({"shares": [(CHEAP, D("0.7")), (DEAR, D("0.31"))]}, "more than the whole"),
        ({"growth": D(-1)}, "a tenth more"),
    ],
)
def test_assumptions_that_cannot_be_are_refused(wrong, words):
    """With what would be right."""
    with pytest.raises(ValueError, match=words):
        example(**wrong)


@given(
    AMOUNTS,
    AMOUNTS,
    AMOUNTS,
    PARTS,
    PARTS,
    st.lists(st.tuples(PRICES, st.decimals(0, "0.25", places=4)), max_size=4),
)
def test_the_sum_of_the_parts_is_the_whole(conversations, messages, tokens, answers, cache, shares):
    """Tokens, messages and shares are neither lost nor made, and the cost is that of the parts."""
    found = plan(
        Assumptions(
            conversations=conversations,
            messages=messages,
            tokens=tokens,
            price=DEAR,
            answers=answers,
            cache=cache,
            shares=shares,
        )
    )
    with localcontext(Context(prec=60)):
        for step in found.steps:
            paid = (1 - cache) if step.measure == "cache" else D(1)
            assert sum(part.share for part in step.parts) == 1
            assert sum(part.messages for part in step.parts) == conversations * messages * paid
            assert sum(part.tokens for part in step.parts) == step.tokens
            assert step.usd_month == step.usd_day * 30
    # Where all goes back to the same price, nothing has changed.
    same = plan(
        Assumptions(
            conversations=conversations,
            messages=messages,
            tokens=tokens,
            price=DEAR,
            answers=answers,
            shares=[(DEAR, part) for _, part in shares],
        )
    )
    assert same.after.usd_day == same.before.usd_day


@given(PARTS, PARTS)
def test_a_larger_cache_never_costs_more(one, other):
    """Nor does a smaller one cost less."""
    small, large = sorted((one, other))
    assert example(cache=large).after.usd_day <= example(cache=small).after.usd_day
