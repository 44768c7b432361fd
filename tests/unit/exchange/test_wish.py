"""What callers say about answers from memory is read as RFC 9111 has it; in doubt, the stricter way."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.exchange.wish import NO_WISH, Wish, wish_of

__all__: list[str] = []

HUGE = 2.0**31


def said(*values: bytes) -> Wish:
    return wish_of([(b"host", b"gate"), *((b"cache-control", value) for value in values)])


@pytest.mark.parametrize(
    ("value", "wish"),
    [
        (b"no-cache", Wish(read=False)),
        (b"no-store", Wish(keep=False)),
        (b"No-Cache, NO-STORE", Wish(read=False, keep=False)),
        (b"max-age=60", Wish(max_age=60)),
        (b'max-age="60"', Wish(max_age=60)),
        (b"max-age = 60 ,private", Wish(max_age=60)),
        (b"max-age=0", Wish(max_age=0)),
        (b"max-age=60, max-age=5", Wish(max_age=5)),
        (b"max-age=99999999999999999999", Wish(max_age=HUGE)),
        (b"min-fresh=30", Wish(min_fresh=30)),
        (b"max-stale", Wish(max_stale=inf)),
        (b"max-stale=20", Wish(max_stale=20)),
        (b"max-stale, max-stale=20", Wish(max_stale=20)),
        (b"stale-if-error=600", Wish(if_error=600)),
        (b"only-if-cached", Wish(only_if_cached=True)),
        (b'foo="no-cache, no-store", max-age=7', Wish(max_age=7)),
        (b"private, x-y=z;;, ,", NO_WISH),
        (b"", NO_WISH),
    ],
)
def test_each_directive_is_read(value: bytes, wish: Wish) -> None:
    """Case, white space, quotes and unknown words change nothing; what stands in quotes is a value."""
    assert said(value) == wish


@pytest.mark.parametrize(
    "value", [b"max-age=soon", b"max-age=-1", b"max-age=1.5", b"min-fresh=x", "max-age=٣".encode()]
)
def test_a_number_that_cannot_be_read_wants_nothing_old(value: bytes) -> None:
    """Its writer wanted a bound; nobody knows which."""
    assert not said(value).read


@pytest.mark.parametrize("value", [b"max-stale=soon", b"stale-if-error=x", b"stale-if-error"])
def test_leave_that_cannot_be_read_is_not_given(value: bytes) -> None:
    """For old answers, the caller's word is needed."""
    wish = said(value)
    assert (wish.read, wish.max_stale, wish.if_error) == (True, 0.0, 0.0)


def test_several_headers_are_one() -> None:
    """Proxies add their own."""
    assert said(b"no-store", b"max-age=5") == Wish(keep=False, max_age=5)


def test_more_than_anybody_writes_is_taken_for_the_strictest() -> None:
    """What was behind the bound is not known."""
    wish = said(b"private," * 1000)
    assert not wish.read
    assert not wish.keep


@pytest.mark.parametrize(
    ("value", "off"), [(b"off", True), (b" OFF ", True), (b"of", True), (b"no", True), (b"on", False)]
)
def test_the_switch_of_one_request_is_off_for_any_word_but_on(value: bytes, off: bool) -> None:
    """Nobody writes it to be given old answers."""
    wish = wish_of([(b"x-headgate-cache", value)])
    assert wish.off == off
    assert wish.read == wish.keep == (not off)


def test_saying_nothing_allows_everything() -> None:
    """And costs nothing: it is one and the same object."""
    assert wish_of([(b"accept", b"*/*")]) is NO_WISH


@pytest.mark.parametrize(
    ("wish", "age", "left", "stale", "taken"),
    [
        (NO_WISH, 50, 10, 0, True),
        (NO_WISH, 70, -10, 0, False),
        (NO_WISH, 70, -10, 20, True),
        (NO_WISH, 90, -30, 20, False),
        (Wish(read=False), 0, 60, 0, False),
        (Wish(max_age=40), 50, 10, 0, False),
        (Wish(max_age=60), 50, 10, 0, True),
        (Wish(max_age=0), 0, 60, 0, True),
        (Wish(max_age=40, max_stale=20), 50, 10, 0, True),
        (Wish(max_stale=20), 70, -10, 0, True),
        (Wish(max_stale=inf), 999_999, -999_000, 0, True),
        (Wish(min_fresh=20), 50, 10, 0, False),
        (Wish(min_fresh=5), 50, 10, 0, True),
        (Wish(min_fresh=5), 70, -10, 20, False),
    ],
)
def test_an_answer_is_taken_if_both_sides_allow_it(
    wish: Wish, age: float, left: float, stale: float, taken: bool
) -> None:
    """The caller bounds its age; the operator says for how long it is fresh, and how stale it may be."""
    assert wish.takes(age, left, stale=stale) == taken


def test_when_no_model_answers_an_old_answer_may_be_given() -> None:
    """As far as the operator or the caller allows, and never to who wants none."""
    assert Wish(if_error=100).takes_on_error(160, -100)
    assert NO_WISH.takes_on_error(160, -100, if_error=100)
    assert not NO_WISH.takes_on_error(160, -100)
    assert not NO_WISH.takes_on_error(160, -100, if_error=99)
    assert not Wish(max_age=60).takes_on_error(160, -100, if_error=100)
    assert not Wish(read=False).takes_on_error(10, 50, if_error=100)


@given(
    st.lists(
        st.tuples(st.sampled_from([b"cache-control", b"x-headgate-cache"]), st.binary(max_size=200)),
        max_size=4,
    )
)
def test_headers_of_strangers_break_nothing(headers: list[tuple[bytes, bytes]]) -> None:
    """Whatever they hold."""
    wish = wish_of(headers)
    assert wish.max_age is None or 0 <= wish.max_age <= HUGE


@given(st.text('ab=,; "\\\t-0', max_size=3000))
def test_reading_takes_time_in_proportion(text: str) -> None:
    """Quotes and commas that lead nowhere are no way to keep the gateway busy: hypothesis's deadline holds."""
    wish_of([(b"cache-control", text.encode())])
