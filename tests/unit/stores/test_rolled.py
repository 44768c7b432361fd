"""Which rows are read for a stretch of time."""

from __future__ import annotations

import itertools
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from headgate.stores.rolled_pieces import (
    Piece,
    cover,
    pieces,
    spend_pieces,
)
from headgate.stores.rollups import DAY, HOUR, LEVELS, MINUTE, TEN_MINUTES, WEEK, Kept

__all__: list[str] = []

START = 20_000 * DAY
moments = st.integers(START, START + 5 * DAY)
far = st.integers(START, START + 30 * DAY)
steps = st.sampled_from([0, MINUTE, 7 * MINUTE, TEN_MINUTES, 30 * MINUTE, HOUR, 6 * HOUR, DAY, 7 * DAY])


def rounded(since: int, until: int) -> tuple[int, int]:
    return since // MINUTE * MINUTE, -(-until // MINUTE) * MINUTE


@given(moments, moments, steps)
def test_every_minute_is_read_once(since: int, until: int, step: int) -> None:
    """In order, without gap or overlap, rounded out to whole minutes."""
    found = pieces(since, until, step, Kept())
    if until <= since:
        assert not found
        return
    begin, end = rounded(since, until)
    assert (found[0].since, found[-1].until) == (begin, end)
    for one, following in itertools.pairwise(found):
        assert one.until == following.since
    for piece in found:
        assert piece.since % piece.seconds == piece.until % piece.seconds == 0
        assert not step or step % piece.seconds == 0


@given(moments, moments, steps, st.integers(START, START + 3 * DAY), st.integers(START, START + 3 * DAY))
def test_what_is_gone_is_not_read(since: int, until: int, step: int, one: int, other: int) -> None:
    """No minutes and hours from before those that are kept; and still all that was asked for, once."""
    kept = Kept(max(one, other), min(one, other))
    found = pieces(since, until, step, kept)
    for piece in found:
        assert piece.seconds >= HOUR or piece.since >= kept.minutes_from or since >= kept.minutes_from
        assert piece.seconds == DAY or piece.since >= kept.hours_from or since >= kept.hours_from
    for before, following in itertools.pairwise(found):
        assert before.until == following.since
    if since < until:
        begin, end = rounded(since, until)
        assert found[0].since <= begin
        assert found[-1].until >= end


def test_a_month_is_days_with_hours_and_minutes_at_its_ends() -> None:
    """Few rows for much time."""
    found = pieces(START + 22 * HOUR + 49 * MINUTE, START + 30 * DAY + 61 * MINUTE, 0, Kept())
    assert [(piece.seconds, (piece.until - piece.since) // piece.seconds) for piece in found] == [
        (MINUTE, 1),
        (TEN_MINUTES, 1),
        (HOUR, 1),
        (DAY, 29),
        (HOUR, 1),
        (MINUTE, 1),
    ]


def test_what_reaches_beyond_the_last_row_is_read_as_a_whole_day() -> None:
    """Up to now: its hours and minutes say the same."""
    until = START + DAY + 5 * HOUR + 3 * MINUTE
    assert pieces(START, until, 0, Kept(ends=until)) == [Piece(DAY, START, START + 2 * DAY)]
    assert pieces(START, until, HOUR, Kept(ends=until)) == [Piece(HOUR, START, START + 2 * DAY)]
    assert len(pieces(START, until, 0, Kept(ends=until + MINUTE))) == 3


def test_a_short_stretch_is_covered_by_what_fits() -> None:
    """Without going round by days."""
    assert cover(START + 1, START + 61, LEVELS) == [Piece(MINUTE, START, START + 2 * MINUTE)]


@given(
    far, far, st.integers(START // WEEK - 1, START // WEEK + 5), st.integers(START - DAY, START + 30 * DAY)
)
def test_of_spending_every_hour_counts_once(since: int, until: int, week: int, hours_from: int) -> None:
    """Whether it is read as a week, as a day, or taken away from one; no week that nobody has folded, no hours that are gone."""
    kept = Kept(hours_from=hours_from // HOUR * HOUR, weeks_until=week * WEEK)
    counted: Counter[int] = Counter()
    for piece in spend_pieces(since, until, 0, kept):
        assert piece.since % piece.seconds == piece.until % piece.seconds == 0
        assert piece.seconds < WEEK or piece.until <= week * WEEK
        assert piece.seconds > HOUR or piece.since >= kept.hours_from
        counted.update(dict.fromkeys(range(piece.since, piece.until, HOUR), -1 if piece.less else 1))
    assert {count for count in counted.values() if count} <= {1}
    once = {hour for hour, count in counted.items() if count}
    if since < until:
        assert once >= set(range(since // HOUR * HOUR, until, HOUR))
        assert once == set(range(min(once), max(once) + HOUR, HOUR))
        if since >= kept.hours_from:
            assert (min(once), max(once)) == (since // HOUR * HOUR, (until - 1) // HOUR * HOUR)
    else:
        assert not once


def test_most_of_a_day_is_read_as_a_day_without_the_rest() -> None:
    """Few rows for much time."""
    assert spend_pieces(START + 2 * HOUR, START + 2 * DAY, 0, Kept()) == [
        Piece(DAY, START, START + DAY),
        Piece(HOUR, START, START + 2 * HOUR, less=True),
        Piece(DAY, START + DAY, START + 2 * DAY),
    ]
