"""Embeddings and the list of models, read by the SDKs."""

from __future__ import annotations

import json
from typing import Literal

import pytest

from headgate.core.errors import InvalidRequest
from headgate.core.messages import EmbeddingsReply, ModelCard, ModelList
from headgate.core.usage import Usage
from headgate.edge.dialects.models import AnthropicModels, OpenAIModels, listing_for
from headgate.edge.dialects.openai_embeddings import OpenAIEmbeddings
from tests.unit.edge.dialects.sdk import anthropic_client, openai_client

CARDS = ModelList(
    models=[
        ModelCard(id="support-chat", owned_by="headgate"),
        ModelCard(id="openai/gpt", owned_by="openai", created=1_700_000_000, display_name="GPT"),
    ]
)


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("hello", ["hello"]),
        (["a", "ü"], ["a", "ü"]),
        ([1, 2], [[1, 2]]),
        ([[1, 2], [3]], [[1, 2], [3]]),
    ],
)
def test_inputs_come_in_four_shapes(given: object, inputs: object) -> None:
    """One text, several, token ids, lists of token ids."""
    body = json.dumps({"model": "m", "input": given, "dimensions": 3, "user": "u", "new": 1}).encode()
    request = OpenAIEmbeddings().read(body)
    assert (request.inputs, request.dimensions, request.user) == (inputs, 3, "u")
    assert bytes(request.extra["new"]) == b"1"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [1.5]}, "input[0]"),
        ({"input": "a", "encoding_format": "hex"}, "encoding_format"),
        ({"input": "a", "dimensions": "3"}, "dimensions"),
    ],
)
def test_a_wrong_field_is_named(fields: dict, param: str) -> None:
    """The error says which."""
    with pytest.raises(InvalidRequest) as caught:
        OpenAIEmbeddings().read(json.dumps({"model": "m", **fields}).encode())
    assert caught.value.param == param


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_are_read_in_either_encoding(encoding: Literal["float", "base64"]) -> None:
    """The SDK gives numbers back whichever came."""
    reply = EmbeddingsReply(
        vectors=[[0.5, -1.25], [3.0, 0.0]], model="e", usage=Usage(input=5), encoding=encoding
    )
    body = OpenAIEmbeddings().whole(reply)
    assert isinstance(json.loads(body)["data"][0]["embedding"], str if encoding == "base64" else list)
    read = openai_client(body).embeddings.create(model="e", input=["a", "b"])
    assert [one.embedding for one in read.data] == [[0.5, -1.25], [3.0, 0.0]]
    assert [one.index for one in read.data] == [0, 1]
    assert (read.usage.prompt_tokens, read.usage.total_tokens) == (5, 5)


def test_models_are_listed_for_openai() -> None:
    """`client.models.list()`."""
    read = list(openai_client(OpenAIModels().whole(CARDS)).models.list())
    assert [(model.id, model.owned_by, model.created) for model in read] == [
        ("support-chat", "headgate", 0),
        ("openai/gpt", "openai", 1_700_000_000),
    ]


def test_models_are_listed_for_anthropic() -> None:
    """`client.models.list()`, one page."""
    page = anthropic_client(AnthropicModels().whole(CARDS)).models.list()
    assert [(model.id, model.display_name) for model in page.data] == [
        ("support-chat", "support-chat"),
        ("openai/gpt", "GPT"),
    ]
    assert page.data[1].created_at.isoformat() == "2023-11-14T22:13:20+00:00"
    assert not page.has_more
    assert json.loads(AnthropicModels().whole(ModelList(models=[])))["first_id"] is None


def test_the_shape_of_the_list_follows_the_version_header() -> None:
    """Anthropic's SDKs always say which version they speak."""
    assert isinstance(listing_for([(b"anthropic-version", b"2026-10-21")]), AnthropicModels)
    assert isinstance(listing_for([(b"accept", b"*/*")]), OpenAIModels)
