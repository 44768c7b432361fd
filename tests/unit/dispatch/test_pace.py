"""A stream must keep up its least rate, over windows of waiting; the reader's own slowness does not count."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import RateTooLow
from headgate.core.events import Begin, TextDelta, ThinkingDelta, ToolCallDelta
from headgate.core.frame import Frame
from headgate.dispatch.pace import WINDOW_SECONDS, Pace

__all__: list[str] = []


def words(characters: int) -> Frame:
    return Frame(None, [TextDelta(text="x" * characters)])


def test_a_stream_that_is_too_slow_is_found_out_after_one_window() -> None:
    """One token a second where two are asked for."""
    pace = Pace(2.0)
    for _ in range(int(WINDOW_SECONDS) - 1):
        pace.waited(words(4), 1.0)
    with pytest.raises(RateTooLow, match=r"1\.00 tokens a second where 2"):
        pace.waited(words(4), 1.0)


def test_a_slow_second_is_made_up_for_within_the_window() -> None:
    """A pause of eight seconds, then a rush."""
    pace = Pace(2.0)
    pace.waited(words(4), 8.0)
    pace.waited(words(80), 2.0)


def test_every_window_is_judged_by_itself() -> None:
    """A fast beginning is no credit for a slow rest."""
    pace = Pace(2.0)
    pace.waited(words(10_000), WINDOW_SECONDS)
    with pytest.raises(RateTooLow):
        pace.waited(words(4), WINDOW_SECONDS)


def test_thoughts_and_arguments_of_calls_count_as_words() -> None:
    """What the user does not see is work, too; what says nothing is not."""
    pace = Pace(1.0)
    call = ToolCallDelta(index=0, arguments="x" * 20)
    pace.waited(Frame(None, [ThinkingDelta(text="x" * 20), call]), WINDOW_SECONDS)
    with pytest.raises(RateTooLow):
        pace.waited(Frame(None, [Begin(model="m")]), WINDOW_SECONDS)


def test_time_that_the_reader_takes_is_not_the_providers() -> None:
    """`begin` starts the clock anew whenever the reader is ready again."""
    pace = Pace(2.0)
    now = 100.0
    for _ in range(50):
        pace.begin(now)
        now += 0.5
        pace.came(words(8), now)
        now += 60.0  # the caller reads


@given(st.lists(st.tuples(st.integers(0, 200), st.floats(0.0, 20.0)), max_size=60), st.floats(0.1, 20.0))
def test_it_is_judged_only_when_a_window_is_full_and_only_by_what_it_holds(
    frames: list[tuple[int, float]], least: float
) -> None:
    """A plain reckoning beside it comes to the same."""
    pace = Pace(least)
    seconds, characters = 0.0, 0
    for came, waited in frames:
        seconds, characters = seconds + waited, characters + came
        full = seconds >= WINDOW_SECONDS
        if full and characters / 4 / seconds < least:
            with pytest.raises(RateTooLow):
                pace.waited(words(came), waited)
            return
        pace.waited(words(came), waited)
        if full:
            seconds, characters = 0.0, 0


def test_frames_of_words_count_as_the_events_that_they_stand_for() -> None:
    """Four characters a token, either way."""
    spelled, spared = Pace(2.0), Pace(2.0)
    for _ in range(int(WINDOW_SECONDS) - 1):
        spelled.waited(words(8), 1.0)
        spared.waited(Frame(b"x", words="x" * 8), 1.0)
    spelled.waited(words(8), 1.0)
    spared.waited(Frame(b"x", words="x" * 8), 1.0)
    for pace in (spelled, spared):
        with pytest.raises(RateTooLow, match=r"0\.10 tokens"):
            pace.waited(Frame(b"x", words="xxxx"), WINDOW_SECONDS)
