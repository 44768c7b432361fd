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
        ("It costs $5.", "It costs $7.", False),
        ("It costs $5.", "It costs €5.", False),
        ("It is -5 degrees there.", "It is 5 degrees there.", False),
        ("Use C++ for it.", "Use C# for it.", False),
        ("It takes two to three weeks.", "It takes five to seven weeks.", False),
        ("It takes twenty-five days.", "It takes 25 days.", True),
        ("It takes twenty-one days.", "It takes 21 days.", True),
        ("20 of them take twenty-five days.", "20 of them take 25 days.", True),
        ("20 of them take twenty-five days.", "25 of them take 25 days.", False),
        ("It takes twenty or five days.", "It takes 25 days.", False),
        ("Don\u2019t press it.", "Do press it.", False),
        ("It's open.", "It is open.", True),
        ("Take 2 eggs.", "Take two eggs.", True),
        ("Seven eggs, and one more.", "7 eggs, and one more.", True),
        ("Good, the debit card stays as it is.", "Good, the credit card stays as it is.", False),
        ("It increases the risk of cancer.", "It decreases the risk of cancer.", False),
        ("You can take it on the plane.", "You can not take it on the plane.", False),
        ("You may enter.", "You mayn\u2019t enter.", False),
        ("Das geht mit der App.", "Das geht nicht mit der App.", False),
        ("Flights to Lisbon are free.", "Flights from Lisbon are free.", False),
        ("Java is better than Python.", "Python is better than Java.", False),
        ("It was increased by the drug.", "The drug increases it.", True),
        ("It opens in the morning.", "It usually opens in the morning.", True),
        ("1. Open it. 2. Press 3 times.", "- Open it.\n- Press 3 times.", True),
        ("1. Open it. 2. Press 3 times.", "- Open it.\n- Press 4 times.", False),
        ("1. Open it. 2. Press.", "Open it, then press.", True),
        ("", "It is open.", False),
        ("", "", True),
        ("It opens in the morning.", "In the morning it is opened.", True),
    ],
)
def test_yes_against_no_other_numbers_and_one_word_for_another_are_another_answer(
    one: str, other: str, same: bool
) -> None:
    """So is one word for another where all else is the same, or the same words in another order. Case, marks and the numbers of a list's
    lines are not. Other words at a near vector say the same."""
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
