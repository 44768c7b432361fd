"""Embeddings: repeatable, of length one, near where texts are alike."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.messages import EmbeddingsReply
from headgate.providers.simulated.vectors import vector_of
from tests.support.aio import aio
from tests.support.simulated import Rehearsal

__all__: list[str] = []


def nearness(one: str, two: str, dimensions: int = 256) -> float:
    return sum(a * b for a, b in zip(vector_of(one, dimensions), vector_of(two, dimensions), strict=True))


async def embed(**body: object) -> EmbeddingsReply:
    reply = await Rehearsal().ask("openai.embeddings", {"model": "sim-embed"} | body, operation="embeddings")
    assert isinstance(reply, EmbeddingsReply)
    return reply


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("How do I reset my password?", "resetting the password", "opening hours of the museum"),
        ("Rechnung für März bezahlen", "Die Rechnung bezahlen", "Ein Hund im Garten"),
        ("天气预报说明天下雨", "明天会下雨", "如何烤面包"),
    ],
)
def test_like_texts_lie_near(text: str, near: str, far: str) -> None:
    """Words in common count, in any script."""
    assert nearness(text, near) > nearness(text, far) + 0.2


@given(st.text(), st.integers(8, 300))
def test_every_vector_has_length_one(text: str, dimensions: int) -> None:
    """Also that of an empty text, and of letters nobody knows."""
    vector = vector_of(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(sum(value * value for value in vector), 1.0)


@aio
async def test_a_list_of_texts_gives_vectors_in_order() -> None:
    """As many as asked, as long as asked."""
    reply = await embed(input=["one text", "another"], dimensions=32)
    assert reply.vectors == [vector_of("one text", 32), vector_of("another", 32)]
    assert reply.usage is not None
    assert reply.usage.input == 4


@aio
async def test_both_encodings_say_the_same() -> None:
    """base64 holds the same numbers as 32-bit floats."""
    plain, packed = await embed(input="hello"), await embed(input="hello", encoding_format="base64")
    assert packed.vectors[0] == pytest.approx(plain.vectors[0], abs=1e-6)


@aio
async def test_tokens_may_be_given_instead_of_text() -> None:
    """A list of numbers is one input, a list of lists several."""
    assert len((await embed(input=[1, 2, 3])).vectors) == 1
    assert len((await embed(input=[[1, 2], [3]])).vectors) == 2


@pytest.mark.parametrize("wrong", ["", [], [""], [[]], [None], [1, "a"], ["a", [True, "x"]], {"a": 1}])
@aio
async def test_an_impossible_input_is_refused(wrong: object) -> None:
    """400, as the vendor does."""
    reply = await Rehearsal().send(
        "openai.embeddings", {"model": "sim-embed", "input": wrong}, operation="embeddings"
    )
    assert reply.status == 400
    assert "error" in json.loads(await reply.read(10_000))


@aio
async def test_a_chat_model_makes_no_embeddings() -> None:
    """The configured names are strict; any other name is taken for an embedding model."""
    body = {"input": "hello"}
    for model, status in (("sim-small", 400), ("text-embedding-3-small", 200)):
        reply = await Rehearsal().send(
            "openai.embeddings", body | {"model": model}, operation="embeddings", fault="none"
        )
        assert reply.status == status
