"""What holds for any two texts."""

from __future__ import annotations

import math
import time

from hypothesis import example, given, settings
from hypothesis import strategies as st

from headgate.cache.semantic.check import open_check
from headgate.cache.semantic.check.lexicon import load_lexicon
from headgate.cache.semantic.check.splitting import split

CHECK = open_check()
WORDS = [
    *sorted(load_lexicon().same)[::7],
    "not",
    "from",
    "to",
    "5",
    "how",
    "do",
    "i",
    "Paris",
    "don't",
    "2 weeks",
]
questions = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)
cosines = st.floats(-1, 1)


@given(st.text(max_size=300), st.text(max_size=300), cosines)
@settings(max_examples=200, deadline=None)
def test_any_two_texts_are_judged(asked, kept, cosine):
    """It never raises, and its score is between 0 and 1."""
    verdict = CHECK(asked, kept, cosine)
    assert 0 <= verdict.score <= 1 and math.isfinite(verdict.score)
    assert isinstance(verdict.why, str)


@given(questions, questions, cosines)
@example("by_mean_of", "way", 0.0)
@settings(max_examples=200, deadline=None)
def test_a_veto_holds_both_ways(asked, kept, cosine):
    """What forbids one way forbids the other."""
    there, back = CHECK(asked, kept, cosine), CHECK(kept, asked, cosine)
    assert (there.score == 0) == (back.score == 0)


@given(questions, cosines)
@settings(max_examples=100, deadline=None)
def test_a_question_is_itself(asked, cosine):
    """However it is written."""
    if split(asked):
        assert CHECK(asked, asked.upper(), cosine).score == CHECK(asked, asked, cosine).score


@given(questions, questions, st.floats(0, 0.9))
@settings(max_examples=100, deadline=None)
def test_nearer_is_never_less_sure(asked, kept, cosine):
    """With the same words, nearer vectors do not lower the score."""
    assert CHECK(asked, kept, cosine + 0.1).score >= CHECK(asked, kept, cosine).score - 1e-12


@given(questions)
@settings(max_examples=100, deadline=None)
def test_one_more_number_is_always_seen(asked):
    """Whatever the question."""
    assert CHECK(asked + " 7342", asked, 1.0).score == 0.0


def test_long_texts_take_no_longer_than_short_ones_many_times_over():
    """The time is bounded whatever is asked: a check must not become a way to stop the gateway."""
    for text in (
        "x " * 50_000,
        "a" * 200_000,
        "qwxz1 " * 5000,
        "1.2.3" * 9000,
        "don't " * 9000,
        "- " * 90_000,
        "zqxv " * 79,
    ):
        started = time.perf_counter()
        CHECK(text, text[1:] + "!", 0.9)
        assert time.perf_counter() - started < 1.0
