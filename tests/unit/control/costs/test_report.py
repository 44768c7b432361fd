"""The report: sums by what is asked, copies of our own apart."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.control.costs.report import dimensions, report
from headgate.stores.totals import SUMS, Which
from tests.support.aio import aio
from tests.support.cost_rows import DAY, request, store_of

__all__: list[str] = []


@aio
async def test_the_dearest_line_comes_first_and_the_total_last() -> None:
    """Each with what is known of its cost."""
    store = store_of(
        request(1, feature="a", cost_nanos=1, cost_label="exact"),
        request(2, feature="b", cost_nanos=5, cost_label="estimated"),
        request(3, feature="a", cost_label="unknown"),
        request(4, feature="c"),
    )
    found = await report(store, ["feature"], Which())
    assert [line.group for line in found.lines] == [("b",), ("a",), ("c",)]
    assert (found.total.requests, found.total.cost_nanos, found.total.unknown) == (4, 6, 1)
    assert found.apart == []


@aio
async def test_copies_of_our_own_are_told_apart() -> None:
    """What a shadow cost is no caller's doing; it stands by itself, with its purpose."""
    store = store_of(
        request(1, feature="a", cost_nanos=1, cost_label="exact"),
        request(2, feature="a", cost_nanos=9, cost_label="exact", purpose="shadow"),
    )
    found = await report(store, ["feature"], Which())
    assert (found.total.cost_nanos, found.total_apart.cost_nanos) == (1, 9)
    assert [line.group for line in found.apart] == [("shadow", "a")]


@aio
async def test_a_month_is_the_sum_of_its_days_and_time_goes_forward() -> None:
    """Whatever was dearest."""
    store = store_of(
        request(1, started_ns=20_000 * DAY, cost_nanos=9, cost_label="exact"),
        request(2, started_ns=20_027 * DAY, cost_nanos=1, cost_label="exact"),
        request(3, started_ns=20_028 * DAY, cost_nanos=2, cost_label="exact"),
    )
    found = await report(store, ["month"], Which())
    assert [(line.group[0], line.cost_nanos) for line in found.lines] == [("2024-10", 10), ("2024-11", 2)]
    found = await report(store, ["day", "month"], Which())
    assert [line.group for line in found.lines] == [
        ("2024-10-04", "2024-10"),
        ("2024-10-31", "2024-10"),
        ("2024-11-01", "2024-11"),
    ]


@aio
async def test_a_tag_is_what_requests_say_of_themselves() -> None:
    """Requests without it, and rows nobody can read, are a line too: their cost was spent."""
    store = store_of(
        request(1, tags='{"project":"canal","x":"1"}', cost_nanos=1),
        request(2, tags='{"project":"canal","x":"2"}', cost_nanos=2),
        request(3, tags='{"x":"1"}', cost_nanos=4),
        request(4, cost_nanos=8),
        request(5, tags="{broken", cost_nanos=16),
    )
    found = await report(store, ["tag:project"], Which())
    assert {line.group: line.cost_nanos for line in found.lines} == {("canal",): 3, ("",): 28}


def test_what_reports_can_be_asked_by_is_known() -> None:
    """A name twice counts once; an unknown one is answered with those there are."""
    assert dimensions("feature, model,tag:a:b,feature") == ["feature", "model", "tag:a:b"]
    for wrong in ("", "colour", "tag:", "feature,"):
        with pytest.raises(ValueError, match="there are feature"):
            dimensions(wrong)


@settings(deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            *[st.sampled_from(["", "a", "b"])] * 3,
            st.integers(0, 90 * DAY),
            st.one_of(st.none(), st.integers(0, 10**12)),
            st.sampled_from(["exact", "estimated", "unknown", ""]),
        ),
        max_size=30,
    ),
    by=st.lists(
        st.sampled_from(["feature", "user", "day", "month", "tag:t", "model"]), min_size=1, unique=True
    ),
)
def test_the_sum_of_the_lines_is_the_total(rows: Any, by: list[str]) -> None:
    """By whatever it is asked, and the same total each time."""
    store = store_of(
        *(
            request(
                n,
                feature=feature,
                user=user,
                purpose="shadow" if tag == "b" else "",
                tags=f'{{"t":"{tag}"}}' if tag else "",
                started_ns=at,
                cost_nanos=cost,
                cost_label=label,
            )
            for n, (feature, user, tag, at, cost, label) in enumerate(rows, start=1)
        )
    )

    @aio
    async def read() -> None:
        found = await report(store, by, Which())
        for name in SUMS:
            assert sum(getattr(line, name) for line in found.lines) == getattr(found.total, name)
            assert sum(getattr(line, name) for line in found.apart) == getattr(found.total_apart, name)
        assert found.total.requests + found.total_apart.requests == len(rows)
        assert len({line.group for line in found.lines}) == len(found.lines)

    read()
