"""Ids: ordered by time, readable aloud, and back again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.ids import IdSource, newest_id, oldest_id, parse_request_id, request_id_text, trace_id
from headgate.testing.clock import FakeClock

__all__: list[str] = []

numbers = st.integers(0, 2**63 - 1)


@given(numbers)
def test_a_text_is_its_number(number: int) -> None:
    """There and back, in any case, with space around it and without its prefix."""
    text = request_id_text(number)
    assert len(text) == 17 and text.startswith("req_")
    for spelt in (text, text.upper(), f" {text}\n", text.removeprefix("req_")):
        assert parse_request_id(spelt) == number


@given(numbers, numbers)
def test_texts_sort_as_numbers_do(one: int, other: int) -> None:
    """So that a list by name is a list by time."""
    assert (one < other) == (request_id_text(one) < request_id_text(other))


def test_look_alikes_are_read_kindly() -> None:
    """O for 0; I and L for 1."""
    assert parse_request_id("req_OOOOOOOOOOOIL") == parse_request_id("req_0000000000011")


@given(st.text(max_size=30))
def test_any_text_is_an_id_or_is_refused(text: str) -> None:
    """ValueError, and nothing else."""
    try:
        assert 0 <= parse_request_id(text) < 2**63
    except ValueError as error:
        assert "request id" in str(error)


@pytest.mark.parametrize("text", ["", "req_", "req_zzzzzzzzzzzzz", "req_u000000000000", "req_00000000000000"])
def test_what_is_no_id(text: str) -> None:
    """Too short, too long, out of range, a letter that is not in the alphabet."""
    with pytest.raises(ValueError, match="is not a request id"):
        parse_request_id(text)


@given(st.lists(st.integers(-5000, 5000), max_size=60), st.integers(1, 300))
def test_ids_grow_whatever_the_clock_does(steps: list[int], each: int) -> None:
    """Also when it goes back, and when more are wanted than a millisecond has."""
    clock = FakeClock()
    source, last = IdSource(clock, node=7), -1
    for milliseconds in steps:
        clock._wall_ns += milliseconds * 1_000_000
        for _ in range(each):
            number = source.next()
            assert number > last
            assert number >> 12 & 0x3FF == 7
            last = number


def test_a_millisecond_can_be_full() -> None:
    """4,096 ids fit; the next ones borrow from the next millisecond, none twice."""
    source = IdSource(FakeClock(), node=1)
    assert len({source.next() for _ in range(10_000)}) == 10_000


def test_sources_of_two_nodes_never_meet() -> None:
    """At the same moment, with the same number of ids."""
    clock = FakeClock()
    one, other = IdSource(clock, node=1), IdSource(clock, node=2)
    assert not {one.next() for _ in range(5000)} & {other.next() for _ in range(5000)}


def test_a_source_may_become_another_node() -> None:
    """As soon as it has been given a number; of a large one the lowest bits count."""
    clock = FakeClock()
    source, other = IdSource(clock, node=1), IdSource(clock, node=5)
    source.be(5 + 1024)
    assert source.next() == other.next()


def test_a_trace_id_is_one_of_w3c() -> None:
    """32 hex digits that begin with the request's number; the halves samplers look at differ widely."""
    made = [trace_id(number << 22) for number in range(1, 1001)]
    assert all(len(one) == 32 and int(one[:16], 16) == number << 22 for number, one in enumerate(made, 1))
    sampled = [int(one[16:], 16) / 2**64 for one in made]
    assert len(set(sampled)) == 1000 and 400 < sum(one < 0.5 for one in sampled) < 600


def test_no_request_of_a_time_has_a_smaller_id_than_its_oldest() -> None:
    """So that an index by id finds requests by time; a minute earlier is near enough, an hour would not be."""
    clock = FakeClock()
    made = IdSource(clock, node=0).next()
    now = clock.wall_ns()
    assert oldest_id(now) <= made < oldest_id(now + 3_600 * 10**9)
    assert oldest_id(0) == 0
    assert newest_id(now - 3_600 * 10**9) < made <= newest_id(now)
    assert newest_id(0) > 0
    assert oldest_id(2**63 - 1) == newest_id(2**63 - 1) == 2**63 - 1
