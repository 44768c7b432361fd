"""Two texts, word by word: both can be put together again from the difference, and no text takes long."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from headgate.quality.replay.wording import text_diff

__all__: list[str] = []

texts = st.lists(
    st.sampled_from(["the ", "water", " is", "\n", "high.", "low", ", ", "\u00e4", "\U0001f600"]), max_size=40
).map("".join)


@given(before=texts, after=texts)
def test_both_texts_can_be_read_from_the_difference(before: str, after: str) -> None:
    """Without what came it is the first one, without what went the second one."""
    found = text_diff(before, after)
    assert "".join(piece.text for piece in found.pieces if piece.kind != "ins") == before
    assert "".join(piece.text for piece in found.pieces if piece.kind != "del") == after
    assert found.identical == (before == after)
    assert 0 <= found.similarity <= 1 and (found.similarity == 1) == (before == after)
    kinds = [piece.kind for piece in found.pieces]
    assert all(one != other for one, other in itertools.pairwise(kinds))


def test_words_are_compared_not_letters() -> None:
    """So that a difference can be read."""
    found = text_diff("The water is high today.", "The water was low today.")
    assert [(piece.kind, piece.text) for piece in found.pieces] == [
        ("same", "The water "),
        ("del", "is high "),
        ("ins", "was low "),
        ("same", "today."),
    ]


def test_long_texts_are_compared_by_lines_and_very_long_ones_cut() -> None:
    """Comparing words takes the square of the time."""
    before = "\n".join(f"{n} {'word ' * 5}" for n in range(1_500))
    after = "\n".join(f"{n + 1} {'thing ' * 5}" for n in range(1_500))
    assert text_diff(before, after).unit == "line"
    flat = text_diff("".join(f"a {n}\n" for n in range(6_000)), "".join(f"b {n}\n" for n in range(6_000)))
    assert (flat.unit, flat.similarity) == ("whole", 0.0)
    long = text_diff("x" * 150_000, "x" * 150_001)
    assert long.cut and not long.identical
    small = text_diff("word " * 15_000 + "end", "word " * 15_000 + "stop")
    assert small.unit == "word" and small.similarity > 0.99
