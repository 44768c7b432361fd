"""Where the time of a request went, from rows as they are stored."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.control.waterfall import Lane, waterfall
from headgate.stores.spans import AttemptRow, RequestRow

__all__: list[str] = []


def request(**given: Any) -> RequestRow:
    return RequestRow(1, 2, "t", **given)


def attempt(number: int, started: int, ended: int, **given: Any) -> AttemptRow:
    return AttemptRow(number, 1, number, "house", "m", started_us=started, ended_us=ended, **given)


def told(lane: Lane) -> list[tuple[str, int, int]]:
    return [(bar.kind, bar.start_us, bar.end_us) for bar in lane.bars]


def test_a_plain_stream_goes_through_all_phases() -> None:
    """Queue, own work, connecting, sending, waiting, first content, stream, own work."""
    one = attempt(1, 300, 2000, connected_us=400, sent_us=450, first_byte_us=900, first_content_us=950)
    fall = waterfall(request(total_us=2100, queued_us=200), [one])
    assert told(fall.lanes[0]) == [("queue", 0, 200), ("own", 200, 300), ("own", 2000, 2100)]
    assert told(fall.lanes[1]) == [
        ("connect", 300, 400), ("send", 400, 450), ("wait", 450, 900), ("begin", 900, 950), ("stream", 950, 2000),
    ]  # fmt: skip


def test_a_connection_that_was_open_has_no_phase() -> None:
    """What did not happen takes no place."""
    fall = waterfall(request(total_us=500), [attempt(1, 0, 500, sent_us=10, first_byte_us=400)])
    assert told(fall.lanes[1]) == [("send", 0, 10), ("wait", 10, 400), ("begin", 400, 500)]


def test_an_attempt_ends_in_the_phase_it_was_in() -> None:
    """A refused connection was connecting, a timeout waiting."""
    lanes = waterfall(
        request(total_us=900), [attempt(1, 0, 300), attempt(2, 400, 900, connected_us=450, sent_us=460)]
    ).lanes
    assert told(lanes[1]) == [("connect", 0, 300)]
    assert told(lanes[2]) == [("connect", 400, 450), ("send", 450, 460), ("wait", 460, 900)]


def test_between_retries_there_is_a_pause() -> None:
    """The wait before the next try is nobody's but ours to see."""
    own = waterfall(request(total_us=1000), [attempt(1, 100, 300), attempt(2, 700, 1000)]).lanes[0]
    assert told(own) == [("own", 0, 100), ("pause", 300, 700)]


def test_what_memory_answered_has_a_lane_of_its_own() -> None:
    """No attempt was made; a stream at a natural pace takes its time after the first word."""
    row = request(total_us=500, queued_us=100, first_content_us=120, cache="exact", origin_id=9, stream=True)
    lanes = waterfall(row, []).lanes
    assert [(lane.number, lane.name) for lane in lanes] == [(0, "request"), (0, "memory")]
    assert told(lanes[0]) == [("queue", 0, 100)]
    assert told(lanes[1]) == [("memory", 100, 120), ("stream", 120, 500)]


def test_who_shares_a_call_waits_for_it() -> None:
    """A whole answer has no first word."""
    lanes = waterfall(request(total_us=500, cache="joined", origin_id=9), []).lanes
    assert told(lanes[1]) == [("joined", 0, 500)]


def test_a_miss_is_a_request_like_others() -> None:
    """Its call has the time."""
    assert len(waterfall(request(total_us=500, cache="miss"), [attempt(1, 0, 500)]).lanes) == 2


def test_hedges_run_side_by_side() -> None:
    """Their time is not counted twice, and there is no pause while either runs."""
    fall = waterfall(
        request(total_us=1000),
        [attempt(1, 100, 1000, outcome="abandoned"), attempt(2, 500, 900, kind="hedge")],
    )
    assert told(fall.lanes[0]) == [("own", 0, 100)]
    assert fall.lanes[1].start_us < fall.lanes[2].start_us < fall.lanes[1].end_us
    assert fall.lanes[2].name == "hedge house/m"


def test_a_resumed_stream_goes_on_in_another_lane() -> None:
    """After the break, and its end is the request's."""
    fall = waterfall(
        request(total_us=900), [attempt(1, 10, 400, first_content_us=50), attempt(2, 420, 900, kind="resume")]
    )
    assert [lane.number for lane in fall.lanes] == [0, 1, 2]
    assert told(fall.lanes[0]) == [("own", 0, 10), ("pause", 400, 420)]


def test_a_request_that_was_refused_has_no_attempts() -> None:
    """All of it was our own work."""
    assert told(waterfall(request(total_us=80), []).lanes[0]) == [("own", 0, 80)]
    assert told(waterfall(request(), []).lanes[0]) == []


moments = st.integers(min_value=0, max_value=5_000)


@given(
    st.integers(min_value=0, max_value=5_000),
    moments,
    st.lists(st.tuples(moments, moments, moments, moments, moments, moments), max_size=4),
)
def test_bars_of_a_lane_follow_each_other(total: int, queued: int, given_: list[tuple[int, ...]]) -> None:
    """Whatever rows say, damaged ones too: no overlap within a lane, nothing outside the whole, and no time is missing."""
    rows = [
        attempt(
            number,
            one[0],
            one[5],
            connected_us=one[1],
            sent_us=one[2],
            first_byte_us=one[3],
            first_content_us=one[4],
        )
        for number, one in enumerate(given_, start=1)
    ]
    fall = waterfall(request(total_us=total, queued_us=queued), rows)
    for lane in fall.lanes:
        at = 0
        for bar in lane.bars:
            assert at <= bar.start_us < bar.end_us <= fall.total_us
            at = bar.end_us
    for lane, row in zip(fall.lanes[1:], rows, strict=True):
        assert sum(bar.us for bar in lane.bars) == max(row.ended_us - row.started_us, 0)
    covered = sorted((bar.start_us, bar.end_us) for lane in fall.lanes for bar in lane.bars)
    reached = 0
    for start, end in covered:
        assert start <= reached
        reached = max(reached, end)
    assert reached == fall.total_us
