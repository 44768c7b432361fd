"""What a batch adds, where it is cut off, and what it costs nothing to leave out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.sketch import bucket_of
from headgate.stores.adding_up import (
    MOST_GROUPS,
    MOST_NAMES,
    MOST_TAGS,
    MOST_VALUES,
    Added,
    Names,
    add_up,
    ended_at,
    merged_session,
)
from headgate.stores.rollups import (
    DAY,
    HOUR,
    LEVELS,
    MEMORY,
    OTHER,
    SKETCHES,
    SUMS,
    SessionRow,
    decoded_sketch,
    decoded_sketches,
    encoded_sketches,
)
from headgate.stores.spans import AttemptRow, RequestRow

__all__: list[str] = []

NOON = 1_790_000_000 // DAY * DAY + DAY // 2


def request(number: int = 1, *, at: float = NOON, **given: Any) -> RequestRow:
    values: dict[str, Any] = {"total_us": 2_000_000} | given
    return RequestRow(number, round(at * 10**9) - values["total_us"] * 1_000, "t", **values)


def added(*rows: RequestRow, attempts: tuple[AttemptRow, ...] = (), names: Names | None = None) -> Added:
    return add_up(rows, attempts, names or Names())


def sums(row: RequestRow) -> dict[str, int]:
    """Of the minute of one request."""
    (one,) = [value for key, value in added(row).rollups.items() if key[0] == LEVELS[0]]
    return dict(zip(SUMS, one.sums, strict=True))


def spread(row: RequestRow, name: str) -> dict[int, int]:
    (one,) = [value for key, value in added(row).rollups.items() if key[0] == LEVELS[0]]
    return one.sketches[SKETCHES.index(name)]


def test_nothing_adds_nothing() -> None:
    """A batch may hold attempts of requests that are not over."""
    assert add_up((), (AttemptRow(1, 1, 1, "p", "m"),), Names()) == Added()


def test_a_request_is_in_one_row_of_every_level() -> None:
    """Each begins at a multiple of its length."""
    found = added(request(at=NOON + 3_725, feature="shop", outcome="failed"))
    levels = {(60, 3_720), (600, 3_600), (3_600, 3_600), (86_400, -43_200)}
    assert {(key[0], key[1] - NOON) for key in found.rollups if key[2]} == levels
    together = {key: one for key, one in found.rollups.items() if key[0] < 0}
    assert {(-key[0], key[1] - NOON) for key in together} == levels
    assert {key[2:] for key in together} == {("", "", "", "failed", "")}
    assert [one.sums[0] for one in together.values()] == [1] * 4


@pytest.mark.parametrize(
    ("given", "counted"),
    [
        ({"finish_reason": "content_filter"}, {"refusals": 1}),
        ({"outcome": "failed", "error_class": "content_filter"}, {"refusals": 1}),
        ({"degraded": "sorry"}, {"degraded": 1}),
        (
            {"cache": "exact", "avoided_nanos": 5, "avoided_us": 7},
            {"cached": 1, "cacheable": 1, "reworded": 0, "joined": 0, "avoided_nanos": 5, "avoided_us": 7},
        ),
        ({"cache": "semantic"}, {"cached": 1, "cacheable": 1, "reworded": 1, "joined": 0}),
        ({"cache": "joined"}, {"cached": 1, "cacheable": 1, "reworded": 0, "joined": 1}),
        ({"cache": "stale"}, {"cached": 1, "cacheable": 1, "reworded": 0, "joined": 0}),
        ({"cache": "miss", "attempts": 1}, {"cached": 0, "cacheable": 1}),
        ({"cache": "bypass", "attempts": 1}, {"cached": 0, "cacheable": 0}),
        ({"cache": "refreshed", "attempts": 1}, {"cached": 0, "cacheable": 0}),
        ({"cost_nanos": None, "attempts": 1}, {"unpriced": 1, "cost_nanos": 0}),
        ({"cost_nanos": None, "attempts": 0}, {"unpriced": 0, "cost_nanos": 0}),
        (
            {"cost_nanos": 7, "cost_label": "estimated"},
            {"estimated_nanos": 7, "cost_nanos": 7, "unpriced": 0},
        ),
        ({"cost_nanos": 7, "cost_label": "exact"}, {"estimated_nanos": 0, "cost_nanos": 7}),
        ({"cache_write_tokens": 2, "cache_write_1h_tokens": 3}, {"cache_write_tokens": 5}),
    ],
)
def test_what_a_request_says_is_counted(given: dict[str, Any], counted: dict[str, int]) -> None:
    """In the sum that is for it."""
    found = sums(request(**given))
    assert {name: found[name] for name in counted} == counted


@pytest.mark.parametrize(
    ("given", "speed"),
    [
        # From the first content on.
        ({"stream": True, "first_content_us": 1_000_000, "output_tokens": 50}, 50),
        # Who thinks does it before that.
        ({"stream": True, "first_content_us": 1_000_000, "output_tokens": 50, "reasoning_tokens": 9}, 50),
        # A whole answer: all the time the provider took, and all it made in it.
        ({"overhead_us": 400_000, "queued_us": 600_000, "output_tokens": 30, "reasoning_tokens": 20}, 50),
        # Too short to tell, nothing said, or no answer.
        ({"stream": True, "first_content_us": 1_999_500, "output_tokens": 50}, None),
        ({"output_tokens": 0}, None),
        ({"output_tokens": 50, "outcome": "failed"}, None),
    ],
)
def test_how_fast_an_answer_was(given: dict[str, Any], speed: int | None) -> None:
    """Tokens of an answer in the time it took to make them."""
    assert spread(request(**given), "tokens_per_s") == ({} if speed is None else {bucket_of(speed): 1})


def test_the_time_to_the_first_content_is_of_streams() -> None:
    """A whole answer has its first content with its last."""
    assert spread(request(stream=True, first_content_us=800), "first_content_us") == {bucket_of(800): 1}
    assert not spread(request(first_content_us=800), "first_content_us")
    assert not spread(request(stream=True), "first_content_us")


def test_zero_has_a_place_in_a_spread() -> None:
    """Most requests wait for no slot."""
    assert spread(request(), "queued_us") == {-1: 1}


@pytest.mark.parametrize("cache", ["exact", "semantic", "joined", "stale"])
def test_what_memory_answered_is_no_figure_of_a_model(cache: str) -> None:
    """Its users felt how long it took; how fast the model is, and how long its answers are, it does not tell."""
    row = request(cache=cache, routed_model="small", overhead_us=900, cost_nanos=0, output_tokens=70)
    assert {key[3:5] for key in added(row).rollups if key[0] > 0} == {(MEMORY, MEMORY)}
    assert spread(row, "total_us") == {bucket_of(2_000_000): 1}
    assert spread(row, "cost_nanos") == {-1: 1}
    assert not spread(row, "tokens_per_s") and not spread(row, "output_tokens")
    # Of a request that waited for another one's call nobody knows which part was ours.
    assert spread(row, "overhead_us") == ({} if cache == "joined" else {bucket_of(900): 1})


def test_an_old_answer_after_calls_that_failed_is_of_the_model_that_was_asked() -> None:
    """Its calls have cost time and money there."""
    row = request(cache="stale", degraded="stale", attempts=2, routed_model="small", provider="house")
    assert {key[3:5] for key in added(row).rollups if key[0] > 0} == {("small", "house")}


def test_features_and_models_without_end_become_one() -> None:
    """However many a caller makes up: the rows of a day have a bound, and every request is still counted."""
    names, most, found = Names(), 0, Added()
    for batch in range(8):
        rows = [
            request(number, feature=f"f{batch}-{number}", routed_model=f"m{batch}-{number}")
            for number in range(300)
        ]
        found = added(*rows, names=names)
        days = {key: one for key, one in found.rollups.items() if key[0] == DAY}
        assert sum(one.sums[0] for one in days.values()) == 300
        most = max(most, len(days))
    assert most <= 301
    assert {key[2:4] for key in found.rollups if key[0] > 0} == {(OTHER, OTHER)}
    assert MOST_NAMES < 8 * 300


def test_pairs_of_feature_and_model_have_a_bound_too() -> None:
    """A thousand of each would be a million."""
    names, pairs = Names(), set()
    for feature in range(200):
        found = added(
            *(request(number, feature=f"f{feature}", routed_model=f"m{number}") for number in range(50)),
            names=names,
        )
        pairs |= {key[2:4] for key in found.rollups if key[0] > 0}
    assert len(pairs) == MOST_GROUPS + 1


def test_a_new_day_begins_with_no_names() -> None:
    """Whoever was `other` yesterday may be one of the first today."""
    names = Names()
    for day in range(2):
        rows = [request(number, feature=f"{day}-{number}", at=NOON + day * DAY) for number in range(1_200)]
        found = added(*rows, names=names)
        assert len({key[2] for key in found.rollups if key[0] > 0}) == MOST_NAMES + 1


def test_users_and_tags_have_bounds() -> None:
    """Values beyond are `other`; names of tags beyond are left out."""
    names = Names()
    rows = [
        request(number, user=f"u{number}", tags=f'{{"t{number}":"v"}}') for number in range(MOST_VALUES + 9)
    ]
    found = added(*rows, names=names)
    users = [key[3] for key in found.spend if key[:3:2] == (DAY, "user")]
    assert len(users) == MOST_VALUES + 1
    assert found.spend[DAY, NOON - DAY // 2, "user", OTHER][0] == 9
    assert len({key[2] for key in found.spend if key[2].startswith("tag:")}) == MOST_TAGS


def test_users_who_are_hit_by_failures_have_a_bound() -> None:
    """The failures are all counted."""
    names = Names()
    rows = [request(number, user=f"u{number}", outcome="failed") for number in range(MOST_VALUES + 9)]
    found = added(*rows, names=names)
    assert len(found.failures) == MOST_VALUES + 1
    assert sum(found.failures.values()) == MOST_VALUES + 9


def test_an_error_without_a_class_is_named_by_its_outcome() -> None:
    """Nothing is left nameless."""
    (key,) = added(request(outcome="cut_off", key_id="k")).failures
    assert key == (NOON // HOUR * HOUR, "", "", "cut_off", "k")


def test_tags_that_are_none_are_left_out() -> None:
    """What others wrote into a column does not stop the writer."""
    assert not added(request(tags="[1]"), request(2, tags="{"), request(3, tags='{"a":1}')).spend


@given(st.lists(st.tuples(st.integers(0, 100), st.text(max_size=2), st.integers(0, 9)), min_size=1))
def test_a_conversation_is_the_same_in_whatever_order_its_parts_come(
    parts: list[tuple[int, str, int]],
) -> None:
    """Its parts are added up, the latest says whose it is; of several at one moment, the last one stored."""
    rows = [
        SessionRow(session="s", user=user, first_ns=at, last_ns=at, requests=1, cost_nanos=cost)
        for at, user, cost in parts
    ]
    whole = rows[0]
    for row in rows[1:]:
        whole = merged_session(whole, row)
    assert (whole.first_ns, whole.last_ns) == (
        min(row.first_ns for row in rows),
        max(row.last_ns for row in rows),
    )
    assert (whole.requests, whole.cost_nanos) == (len(rows), sum(row.cost_nanos for row in rows))
    assert whole.user == [row.user for row in rows if row.last_ns == whole.last_ns][-1]


@given(
    st.lists(
        st.dictionaries(st.integers(-1, 400), st.integers(1, 2**40)),
        min_size=len(SKETCHES),
        max_size=len(SKETCHES),
    )
)
def test_spreads_come_back_as_they_were_kept(sketches: list[dict[int, int]]) -> None:
    """All of them, or those that are asked for."""
    data = encoded_sketches(sketches)
    assert decoded_sketches(data) == sketches
    assert decoded_sketch(data, [5, 0]) == [sketches[5], sketches[0]]


def test_a_row_without_spreads_has_empty_ones() -> None:
    """As rows have that nobody has written spreads to."""
    assert decoded_sketches(b"") == [{} for _ in SKETCHES]
    assert decoded_sketch(b"", [1]) == [{}]


def test_the_end_of_a_request_is_reckoned_from_its_beginning() -> None:
    """In whole seconds."""
    assert ended_at(request(at=NOON + 0.9)) == NOON


def test_names_are_counted_anew_each_day_also_after_a_clock_was_wrong() -> None:
    """Else one row of the future would have every name of the days until then share one bound."""
    names, admitted = Names(), []
    for number, day in enumerate((0, 0, -1, 1, 400, 2, 2)):
        names.begin(NOON + day * DAY)
        admitted.append(names.admit("feature", str(number), 1))
    assert admitted == [True, False, False, True, True, True, False]
