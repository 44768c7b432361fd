"""Recorded traffic at other prices."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from headgate.control.costs.prices import parse_price, rates_of_price
from headgate.control.costs.whatif import Comparison, Target, whatif
from headgate.providers.catalog.rates import Rates, Step
from headgate.stores.spans import AttemptRow
from headgate.stores.totals import Which, usage_of_attempt
from tests.support.aio import aio
from tests.support.cost_rows import priced, request, store_of

__all__: list[str] = []

DEAR = rates_of_price(parse_price("10:40/M"))
CHEAP = rates_of_price(parse_price("1:4/M"))


def target(rates: Rates | None, name: str = "x") -> Target:
    return Target(name, lambda when_ns: rates)


def compared(*pairs: Any, **asked: Any) -> Comparison:
    """(request, its attempts) through a comparison."""
    comparison = Comparison(asked.pop("target", target(CHEAP)), **asked)
    for row, attempts in pairs:
        for attempt in attempts:
            comparison.add(usage_of_attempt(row, attempt))
    return comparison


def chat(number: int, *tokens: tuple[int, ...], **given: Any) -> tuple[Any, list[AttemptRow]]:
    """A chat whose attempts had these tokens and were priced at DEAR."""
    row = request(number, **({"operation": "chat", "feature": "f"} | given))
    return row, [priced(row, place, DEAR, each) for place, each in enumerate(tokens, start=1)]


def test_every_attempt_is_priced_anew_and_every_request_counted_once() -> None:
    """A failover's tokens are paid for on both sides."""
    found = compared(chat(1, (100, 0, 0, 0, 10, 0), (200, 0, 0, 0, 0, 5)), chat(2, (1000, 0, 0, 0, 0, 0)))
    (line,) = found.features.values()
    assert (line.requests, line.attempts, line.repriced) == (2, 3, 3)
    assert line.before_nanos == 10 * line.after_nanos == 10_000_000 + 3_000_000 + 600_000
    assert found.left_out == {}


def test_what_cannot_be_priced_is_on_neither_side() -> None:
    """And counted by reason: a saving must not come from rows that are missing on one side."""
    unknown, attempts = chat(1, (100, 0, 0, 0, 10, 0))
    nameless = [priced(unknown, 1, DEAR, (5, 0, 0, 0, 0, 0), cost_nanos=None, cost_label="unknown")]
    found = compared((unknown, nameless), chat(2, (1, 0, 0, 0, 0, 0), operation="embeddings"), target=None)
    assert found.features == {}
    assert found.left_out == {
        "its recorded cost is not known, and stays as it is": 1,
        "embeddings, not chat": 1,
    }
    found = compared(
        chat(3, (1, 0, 0, 0, 0, 0), purpose="shadow"), (unknown, attempts), target=target(None, "y")
    )
    assert set(found.left_out) == {
        "made besides what callers asked for (shadow)",
        "no price of y is known for its day",
    }


def test_what_cost_nobody_knows_how_much_is_told_beside_the_comparison() -> None:
    """A model at home without a price: what it would cost elsewhere is a fair question, a saving would be made up."""
    row, attempts = chat(1, (100, 0, 0, 0, 0, 0))
    home = priced(row, 2, DEAR, (10**6, 0, 0, 0, 0, 0), cost_nanos=None, cost_label="unknown")
    line = compared((row, [*attempts, home])).total
    assert (line.requests, line.attempts, line.before_nanos, line.after_nanos) == (1, 1, 1_000_000, 100_000)
    assert (line.unknown, line.unknown_after_nanos) == (1, 10**9)


def test_what_was_refused_stays_free() -> None:
    """Nothing was counted and nothing paid: another model's fee for each request would not be due either."""
    with_fee = Rates(CHEAP.steps, per_request=1000)
    row, _ = chat(1)
    free = [priced(row, 1, DEAR, (0,) * 6, cost_nanos=0, cost_label="")]
    found = compared((row, free), target=target(with_fee)).total
    assert (found.attempts, found.repriced, found.after_nanos) == (1, 0, 0)


def test_a_free_model_can_become_dear() -> None:
    """Tokens that cost nothing at home cost something elsewhere."""
    row, _ = chat(1)
    home = [priced(row, 1, DEAR, (1000, 0, 0, 0, 0, 0), cost_nanos=0)]
    assert compared((row, home)).total.after_nanos == 1_000_000


def test_a_tier_goes_before_the_rest() -> None:
    """Requests of a tier at its model's price, the others at the other's, or as they were if none is named."""
    pairs = [chat(1, (10**6, 0, 0, 0, 0, 0), tier="simple"), chat(2, (10**6, 0, 0, 0, 0, 0), tier="complex")]
    by_tier = {"simple": target(rates_of_price(parse_price("0.5/M")))}
    assert compared(*pairs, by_tier=by_tier).total.after_nanos == 500_000_000 + 1_000_000_000
    kept = compared(*pairs, by_tier=by_tier, target=None).total
    assert (kept.repriced, kept.attempts, kept.after_nanos) == (1, 2, 500_000_000 + 10_000_000_000)


def test_the_price_is_that_of_the_day() -> None:
    """A price that changed in between counts for each request as it was then."""
    changing = Target("x", lambda when_ns: CHEAP if when_ns < 10 else DEAR)
    pairs = [chat(n, (10**6, 0, 0, 0, 0, 0), started_ns=at) for n, at in ((1, 9), (2, 10))]
    assert compared(*pairs, target=changing).total.after_nanos == 11_000_000_000


@aio
async def test_all_attempts_of_a_store_are_read() -> None:
    """Through its pages, of the requests that are meant."""
    pairs = [chat(n, (n, 0, 0, 0, 0, 0), feature="ab"[n % 2]) for n in range(1, 40)]
    store = store_of(*(row for row, _ in pairs), attempts=[one for _, each in pairs for one in each])
    found = await whatif(store, Comparison(target(DEAR)), Which(only={"feature": "a"}))
    assert set(found.features) == {"a"}
    assert found.total.before_nanos == found.total.after_nanos == sum(range(2, 40, 2)) * 10_000


RATES = st.builds(
    lambda low, high, fee: Rates((Step(*low), structs.replace(Step(*high), over=500)), per_request=fee),
    *[st.tuples(*[st.integers(0, 10**12)] * 6)] * 2,
    st.integers(0, 10**6),
)
COUNTS = st.tuples(*[st.integers(0, 1000)] * 6)


@settings(deadline=None)
@given(RATES, st.lists(st.tuples(st.sampled_from("abc"), st.lists(COUNTS, max_size=3)), max_size=10))
def test_the_same_price_changes_nothing_and_the_features_are_the_whole(rates: Any, traffic: Any) -> None:
    """To the nano-dollar, for tariffs with steps and fees, and whatever the attempts."""
    comparison = Comparison(target(rates))
    for number, (feature, attempts) in enumerate(traffic, start=1):
        row = request(number, operation="chat", feature=feature)
        for place, tokens in enumerate(attempts, start=1):
            comparison.add(usage_of_attempt(row, priced(row, place, rates, tokens)))
    for line in comparison.features.values():
        assert line.before_nanos == line.after_nanos
    total = comparison.total
    assert total.attempts == sum(len(attempts) for _, attempts in traffic)
    assert total.requests == sum(bool(attempts) for _, attempts in traffic)
    assert total.before_nanos == sum(line.before_nanos for line in comparison.features.values())
