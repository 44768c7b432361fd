"""The grader anybody can follow: what it sees, in several languages, and what it makes of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.difficulty.port import TIERS, Question
from headgate.routing.difficulty.signals import (
    COMPLEX_FROM,
    MEDIUM_FROM,
    Signals,
    graded,
    score,
    signals,
    tier_of,
)
from tests.support.aio import aio

__all__: list[str] = []


def question(text="", **more):
    return Question(text=text, tokens=more.pop("tokens", len(text) // 4 + 8), **more)


@pytest.mark.parametrize(
    ("text", "tier"),
    [
        ("hello", "simple"),
        ("Where is my parcel?", "simple"),
        ("Translate to French: good morning", "simple"),
        ("Prove that the square root of two is irrational, step by step.", "medium"),
        ("Compare both designs, analyse where each fails, and justify the trade-offs.", "complex"),
        ("Warum ist der Himmel blau? Erkläre es Schritt für Schritt.", "complex"),
        ("Explique étape par étape, comparez les deux et justifiez.", "complex"),
        ("为什么天空是蓝色的？请分析并比较不同的解释。", "complex"),
        ("なぜ空は青いのですか。比較して説明してください。", "complex"),
        ("Почему небо голубое? Объясните и сравните.", "complex"),
    ],
)
def test_requests_are_told_apart_in_the_languages_people_write(text, tier):
    """What asks to reason is harder than what asks to look up."""
    assert graded(question(text)).tier == tier


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("length", question("x", tokens=4000)),
        ("code", question("```python\ndef f(x):\n    return x\n```")),
        ("math", question("What is 3 * 4 + 12 / 5? Solve the equation.")),
        ("reasoning", question("Why?")),
        ("parts", question("When? Where? Who? How?")),
        ("tools", question("x", tools=1)),
        ("images", question("x", images=1)),
        ("files", question("x", files=2)),
        ("history", question("x", turns=9)),
        ("schema", question("x", json_schema=True)),
        ("thinking", question("x", thinking=True)),
        ("instructions", question("x", system_tokens=2000)),
        ("language", question("Сколько стоит доставка до Берлина?")),
    ],
)
def test_each_signal_makes_a_request_harder_and_says_what_was_seen(name, seen):
    """It appears under its name, with a positive part."""
    (found,) = [each for each in signals(seen) if each.name == name]
    assert 0 < found.strength <= 1 and found.part > 0 and found.words


def test_routine_tasks_are_easier():
    """The only signal that counts against difficulty."""
    (found,) = [each for each in signals(question("Translate: hello")) if each.name == "routine"]
    assert found.part < 0


@pytest.mark.parametrize(
    "text", ["Where is my parcel?", "I paid 30 EUR in May 2025", "see https://a.example/b", ""]
)
def test_plain_text_shows_no_code_and_no_reasoning(text):
    """Digits and marks alone are neither."""
    assert not {each.name for each in signals(question(text))} & {"code", "reasoning", "math"}


def test_the_weightiest_reason_stands_first_after_the_score():
    """Whoever reads one reason reads the one that counts."""
    grade = graded(question("Prove it.", tokens=7000, tools=1))
    assert grade.reasons[0].startswith("score 0.") and grade.reasons[1] == "7,000 tokens"


def test_longer_is_never_easier():
    """All else equal."""
    scores = [score(question("x", tokens=tokens)) for tokens in (10, 100, 1000, 8000, 90_000)]
    assert scores == sorted(scores) and scores[0] == 0.0


def test_at_a_border_the_tier_is_as_likely_wrong_as_right_and_far_from_it_sure():
    """That is what a feature's `confidence` compares with."""
    assert graded(question("hello")).confidence == 1.0
    near = [graded(question("x", tokens=t)) for t in range(60, 4000, 20)]
    least = min(near, key=lambda grade: grade.confidence)
    assert 0.5 <= least.confidence < 0.55


@given(
    st.builds(
        Question,
        text=st.text(max_size=400),
        tokens=st.integers(0, 10**7),
        system_tokens=st.integers(0, 10**6),
        turns=st.integers(1, 500),
        tools=st.integers(0, 300),
        images=st.integers(0, 50),
        files=st.integers(0, 50),
        json_schema=st.booleans(),
        thinking=st.booleans(),
    )
)
def test_any_question_gets_a_grade_that_hangs_together(seen):
    """A score in 0..1, the tier of that score, a confidence in 0.5..1; whatever the text is."""
    grade, value = graded(seen), score(seen)
    assert 0 <= value <= 1 and grade.tier == tier_of(value) and 0.5 <= grade.confidence <= 1
    assert all(0 < each.strength <= 1 for each in signals(seen))


def test_tiers_follow_the_score():
    """Borders belong to the harder tier."""
    assert [tier_of(v) for v in (0, MEDIUM_FROM, COMPLEX_FROM, 1)] == [
        "simple",
        "medium",
        "complex",
        "complex",
    ]
    assert MEDIUM_FROM < COMPLEX_FROM and len(TIERS) == 3


@aio
async def test_it_fulfils_the_port():
    """Behind which the learned one stands, too."""
    assert (await Signals().grade(question("hello"), {})).tier == "simple"
