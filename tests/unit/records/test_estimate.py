"""Tokens of texts nobody counted."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.messages import Answer, Choice, EmbeddingsReply, Text, Thinking, ToolCall
from headgate.records.estimate import tokens_of_answer, tokens_of_body, tokens_of_bytes, tokens_of_text

__all__: list[str] = []


@pytest.mark.parametrize(
    ("text", "o200k"),
    [
        ("The quick brown fox jumps over the lazy dog.", 10),
        ("def area(radius):\n    return 3.14159 * radius ** 2\n", 17),
        ('{"name":"Ada","age":36,"tags":["a","b"]}', 16),
        ("今天的水位是多少？", 7),
        ("Wie hoch steht das Wasser heute am Wehr, und wann sinkt es wieder?", 17),
    ],
)
def test_an_estimate_is_in_the_neighbourhood_of_a_tokenizer(text: str, o200k: int) -> None:
    """Counts by o200k, written down by hand; short texts are the hardest."""
    assert o200k * 0.5 <= tokens_of_text(text) <= o200k * 1.6


@given(st.text(max_size=300), st.text(max_size=300))
def test_more_text_is_never_fewer_tokens(one: str, other: str) -> None:
    """Adding text adds tokens; nothing is free but nothing."""
    assert tokens_of_text(one + other) >= tokens_of_text(one)
    assert (tokens_of_text(one) == 0) == (one == "")


@given(st.binary(max_size=2000))
def test_any_bytes_can_be_estimated(data: bytes) -> None:
    """Broken UTF-8 too, and never more tokens than bytes."""
    assert tokens_of_bytes(data) <= max(1, len(data))
    assert tokens_of_body(data) <= max(1, len(data))


def test_a_long_text_is_estimated_from_its_beginning() -> None:
    """A megabyte costs what 64 kB cost to look at."""
    text = b"How high is the water today at the weir? " * 30_000
    per_byte = tokens_of_bytes(text[:41_000]) / 41_000
    assert tokens_of_bytes(text) == pytest.approx(per_byte * len(text), rel=0.01)


def test_a_picture_counts_as_a_picture() -> None:
    """Base64 of a photograph is not a million tokens of prose."""
    picture = base64.b64encode(os.urandom(600_000))
    body = b'{"messages":[{"role":"user","content":"What is this?","data":"%b"}]}' % picture
    assert 800 <= tokens_of_body(body) < 900


def test_an_answer_is_counted_by_what_it_says() -> None:
    """Text and tool calls are output, thinking is reasoning; vectors have no answer tokens."""
    answer = Answer(
        choices=[
            Choice(parts=[Thinking(text="The gauge says two."), Text(text="Two metres.")]),
            Choice(parts=[ToolCall(id="1", name="measure", arguments='{"at":"weir"}')]),
        ]
    )
    output, reasoning = tokens_of_answer(answer)
    assert output == tokens_of_text("Two metres.") + tokens_of_text("measure") + tokens_of_text(
        '{"at":"weir"}'
    )
    assert reasoning == tokens_of_text("The gauge says two.")
    assert tokens_of_answer(EmbeddingsReply(vectors=[[0.1]])) == (0, 0)


def test_half_a_surrogate_pair_is_counted() -> None:
    """Models do emit them."""
    assert tokens_of_text("\ud83d") >= 1
