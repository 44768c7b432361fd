"""What somebody says of an answer, as rows; and tokens for browsers."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.ids import IdSource, request_id_text
from headgate.quality.feedback import LONGEST_COMMENT, Given, Giver, Refused, Tokens, rows_of
from headgate.stores.scores import ScoreRow

__all__: list[str] = []

REQUEST = IdSource(node=1).next()


def rows(giver: Giver | None = None, **said: Any) -> list[ScoreRow]:
    said.setdefault("request", request_id_text(REQUEST))
    return rows_of(Given(**said), giver or Giver(prefix="user/key_a"), at_ns=5, fallback="f")[0]


def test_each_value_is_a_row() -> None:
    """Under its own name, in one event."""
    found = rows(
        thumbs="down", rating=4.5, task_completed=True, name="tone", label="rude", comment="No.", event="e1"
    )
    assert [(each.name, each.kind, each.number, each.label or each.text) for each in found] == [
        ("thumbs", "boolean", 0.0, "down"),
        ("rating", "number", 4.5, ""),
        ("task_completed", "boolean", 1.0, ""),
        ("tone", "label", None, "rude"),
        ("comment", "text", None, "No."),
    ]
    assert {each.request_id for each in found} == {REQUEST}
    assert [each.event for each in found][:2] == [
        "user/key_a/given:e1/thumbs",
        "user/key_a/given:e1/rating",
    ]


def test_events_of_two_givers_never_meet() -> None:
    """Neither by name nor by being left out."""
    other = Giver(prefix="user/key_b")
    assert rows(thumbs="up", event="e")[0].event != rows(other, thumbs="up", event="e")[0].event
    assert rows(thumbs="up", event="own:f")[0].event != rows(thumbs="up")[0].event


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, "nothing is said"),
        ({"request": "", "thumbs": "up"}, "what it is about"),
        ({"session": "s", "thumbs": "up"}, "what it is about"),
        ({"request": "req_nonsense", "thumbs": "up"}, "not a request id"),
        ({"request": request_id_text(0), "thumbs": "up"}, "no such request"),
        ({"rating": 6}, "1 to 5"),
        ({"rating": float("nan")}, "1 to 5"),
        ({"boolean": True}, "goes with one of"),
        ({"name": "x"}, "goes with one of"),
        ({"name": "x", "number": 1, "boolean": True}, "goes with one of"),
        ({"name": "thumbs", "number": 1}, "a word of yours"),
        ({"name": "a b", "number": 1}, "a word of yours"),
        ({"name": "x", "number": float("inf")}, "finite"),
        ({"comment": "x" * (LONGEST_COMMENT + 1)}, "over 5,000"),
    ],
)
def test_what_cannot_be_kept_is_refused_with_what_would_be_right(said: dict[str, Any], words: str) -> None:
    """Each with the field at fault."""
    with pytest.raises(Refused, match=words):
        rows(**said)


def test_texts_are_not_kept_where_none_are() -> None:
    """What else was said is kept, and it is told what was left out; a text alone is refused."""
    silent = Giver(prefix="p", content=False)
    given = Given(request=request_id_text(REQUEST), thumbs="up", comment="secret", correction="also")
    found, left_out = rows_of(given, silent, at_ns=1, fallback="f")
    assert [each.name for each in found] == ["thumbs"] and left_out == ["comment", "correction"]
    with pytest.raises(Refused, match="none of it is kept"):
        rows(silent, comment="secret")


def tokens(now: float = 1000.0, secret: bytes = b"s" * 32) -> Tokens:
    return Tokens(secret, lambda: now, 60)


@given(st.integers(1, 2**63 - 1))
def test_a_token_is_good_for_its_request_until_it_is_not(request_id: int) -> None:
    """For this installation only."""
    token = tokens().mint(request_id)
    assert tokens(1059.0).read(token).request_id == request_id
    for other in (tokens(1061.0), tokens(secret=b"t" * 32)):
        with pytest.raises(Refused):
            other.read(token)


@given(st.text() | st.binary(min_size=28, max_size=28).map(lambda data: "hgf_" + data.hex()))
def test_nonsense_is_no_token(text: str) -> None:
    """Whatever it is."""
    with pytest.raises(Refused):
        tokens().read(text)


def test_a_token_of_which_one_letter_is_changed_is_no_token() -> None:
    """Neither another request's nor a later one."""
    token = tokens().mint(REQUEST)
    for place in range(4, len(token) - 1):
        changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
        with pytest.raises(Refused):
            tokens().read(changed)


def test_making_a_token_takes_microseconds() -> None:
    """It is made for each answer where `feedback.tokens` is on. The bound is far from the usual, which is 2 µs."""
    maker, began = tokens(), time.perf_counter()
    for number in range(2000):
        maker.mint(number)
    assert time.perf_counter() - began < 0.2
