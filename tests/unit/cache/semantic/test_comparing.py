"""Do two answers say the same? What the quick judge sees, and where it says that it cannot tell."""

from __future__ import annotations

import asyncio

import pytest

from headgate.cache.semantic.comparing import LEAST_COSINE, same_answer, words_of
from headgate.core.messages import Answer, Choice, Text, ToolCall

__all__: list[str] = []


def judged(one: str, other: str, cosine: float | None = 0.95) -> bool | None:
    async def near(_one: str, _other: str) -> float | None:
        return cosine

    return asyncio.run(same_answer(one, other, near))


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The shop is open.", "the shop is OPEN", True),
        ("Yes, you can.", "No, you cannot.", False),
        ("Leider geht das nicht.", "Ja, das geht.", False),
        ("It takes 14 days.", "It takes 30 days.", False),
        ("It costs 3.50.", "It costs 3.5.", False),
        ("1. Open it. 2. Press.", "Open it, then press.", True),
        ("", "It is open.", False),
        ("", "", True),
        ("It opens in the morning.", "In the morning it is opened.", True),
    ],
)
def test_yes_against_no_and_other_numbers_are_another_answer(one: str, other: str, same: bool) -> None:
    """Case, marks and the numbers of a list's lines are not. Other words at a near vector say the same."""
    assert judged(one, other) is same is judged(other, one)


def test_nearness_of_the_vectors_decides_what_words_do_not() -> None:
    """Without vectors it cannot be told."""
    one, other = "It opens in the morning.", "The pump is broken."
    assert judged(one, other, LEAST_COSINE) is True and judged(one, other, LEAST_COSINE - 0.01) is False
    assert judged(one, other, None) is None


def test_only_text_is_compared() -> None:
    """An answer that calls a tool, or has none, has no words; very long ones are compared as far as 2,000 characters."""
    assert words_of(Answer(model="m", choices=[])) is None
    call = ToolCall(id="1", name="look", arguments="{}")
    assert words_of(Answer(model="m", choices=[Choice(parts=[Text("I look"), call])])) is None
    assert words_of(Answer(model="m", choices=[Choice(parts=[Text("a" * 3000)])])) == "a" * 2000
