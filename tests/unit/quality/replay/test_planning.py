"""What a replay will cost: recorded tokens at the new price, between bounds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from headgate.core.usage import Usage
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.rates import Rates, Step
from headgate.quality.replay.planning import LEAST_ANSWER, Estimate, Place, estimate
from headgate.stores.spans import RequestRow

__all__: list[str] = []

CHEAP = Rates((Step(1_000, 4_000, 500, 1_250, 2_000, 4_000),))
DEAR = Rates((Step(10_000, 40_000, 5_000, 12_500, 20_000, 40_000),), per_request=7)


def row(**more: object) -> RequestRow:
    told: dict[str, object] = {
        "input_tokens": 100_000,
        "output_tokens": 2_000,
        "attempts": 1,
        "operation": "chat",
    }
    return RequestRow(id=1, started_ns=0, trace_id="", **{**told, **more})  # type: ignore[arg-type]


def planned(of: RequestRow, *rates: Rates | None, limit: int | None = None, prompt: int = 90_000) -> Estimate:
    places = [Place(f"p/{number}", each) for number, each in enumerate(rates)]
    return estimate(of, places, prompt_tokens=prompt, limit=limit)


def test_the_first_place_is_expected_and_the_dearest_bounds() -> None:
    """A failover may go there."""
    found = planned(row(), CHEAP, DEAR)
    assert found.expected_nanos == cost_nanos(CHEAP, Usage(input=100_000, output=2_000))
    assert found.least_nanos == 100_000 * 500 // 1_000_000
    most = planned(row(), DEAR).most_nanos
    assert found.most_nanos == most and most is not None and most > (planned(row(), CHEAP).most_nanos or 0)


def test_without_a_price_nothing_is_promised() -> None:
    """One place without suffices: the request may go there."""
    found = planned(row(), CHEAP, None)
    assert found.most_nanos is None and found.expected_nanos is not None and found.unpriced == ["p/1"]
    assert planned(row(), None).expected_nanos is None
    assert planned(row()).expected_nanos is None


def test_a_limit_bounds_the_answer() -> None:
    """Where the request says none, four times the recorded answer, and a few thousand tokens at least."""
    assert planned(row(), CHEAP, limit=10).answer_tokens == 10
    assert planned(row(), CHEAP, limit=10).expected_nanos == cost_nanos(
        CHEAP, Usage(input=100_000, output=10)
    )
    assert planned(row(), CHEAP).answer_tokens == 8_000
    assert planned(row(output_tokens=3), CHEAP).answer_tokens == LEAST_ANSWER
    assert planned(row(operation="embeddings", output_tokens=0), CHEAP).answer_tokens == 0


def test_what_failed_is_estimated_from_its_body() -> None:
    """It has no tokens on record; after a failover each attempt has counted the prompt."""
    failed = planned(row(input_tokens=0, output_tokens=0), CHEAP, prompt=1_000)
    assert failed.expected_nanos == cost_nanos(CHEAP, Usage(input=1_000, output=300))
    twice = planned(row(input_tokens=200_000, attempts=2), CHEAP)
    assert twice.expected_nanos == planned(row(), CHEAP).expected_nanos


@given(
    into=st.integers(0, 10**6),
    out=st.integers(0, 10**5),
    prompt=st.integers(0, 10**6),
    limit=st.none() | st.integers(1, 10**5),
)
def test_the_bounds_hold_what_is_expected(into: int, out: int, prompt: int, limit: int | None) -> None:
    """Whatever the tokens."""
    found = planned(row(input_tokens=into, output_tokens=out), DEAR, limit=limit, prompt=prompt)
    assert found.least_nanos is not None and found.expected_nanos is not None and found.most_nanos is not None
    assert found.least_nanos <= found.expected_nanos <= found.most_nanos + 1
