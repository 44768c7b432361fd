"""The wire `openai.embeddings`."""

from __future__ import annotations

import base64
import contextlib
import json
import struct
from typing import Any

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types import EmbeddingCreateParams

from headgate.core.errors import GatewayError, ProviderRejected, UnsupportedRequest, UpstreamMalformed
from headgate.core.messages import ChatRequest
from headgate.core.usage import Usage
from headgate.providers.wires.openai_embeddings import OpenAIEmbeddings
from tests.support.wires import JSON_VALUES, UNHURRIED, cases, embeddings_from

__all__: list[str] = []

WIRE = OpenAIEmbeddings()
SDK: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(EmbeddingCreateParams)


@pytest.mark.parametrize("case", cases("openai", "embeddings_requests.json"), ids=lambda case: case["about"])
def test_a_request_is_written_as_the_documentation_shows(case):
    """Canonical in, exactly this JSON out, and the SDK's type takes it."""
    body = json.loads(WIRE.encode(embeddings_from(case["request"]), case["model"]))
    assert body == case["body"]
    SDK.validate_python(body)


def reply(*rows: Any, **more: Any) -> bytes:
    data = [{"object": "embedding", "embedding": vector, "index": index} for index, vector in rows]
    return json.dumps({"object": "list", "data": data, "model": "m", **more}).encode()


def test_vectors_come_in_the_order_of_the_inputs():
    """By their index, not by their place."""
    got = WIRE.decode(reply((1, [0.25, -1]), (0, [0.5, 2.0]), usage={"prompt_tokens": 8, "total_tokens": 8}))
    assert (got.vectors, got.model, got.usage) == ([[0.5, 2.0], [0.25, -1.0]], "m", Usage(input=8))


def test_base64_is_little_endian_float32():
    """As the SDK asks for unless told otherwise."""
    packed = base64.b64encode(struct.pack("<3f", 0.5, -1.25, 3.0)).decode()
    assert WIRE.decode(reply((0, packed))).vectors == [[0.5, -1.25, 3.0]]


@pytest.mark.parametrize(
    ("usage", "expected"),
    [(None, None), ({}, None), ({"prompt_tokens": 0}, Usage(input=0)), ({"total_tokens": 5}, Usage(input=5))],
)
def test_usage_is_what_was_said(usage, expected):
    """Nothing said is None, zero is zero."""
    assert WIRE.decode(reply((0, [1.0]), usage=usage)).usage == expected


def test_servers_without_an_index_keep_their_order():
    """A missing index is no order at all."""
    assert WIRE.decode(b'{"data":[{"embedding":[1]},{"embedding":[2]}]}').vectors == [[1.0], [2.0]]


def test_an_error_sent_with_status_200_is_an_error():
    """Not an empty list of vectors."""
    with pytest.raises(ProviderRejected):
        WIRE.decode(b'{"error":{"message":"bad","type":"invalid_request_error"}}')


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"<p>", reply((0, "?")), reply((0, "AAA=")), reply((0, [None]))]
)
def test_what_is_no_embedding_is_malformed(body):
    """Broken base64 and half a number too."""
    with pytest.raises(UpstreamMalformed):
        WIRE.decode(body)


def test_neither_chats_nor_streams():
    """Both are the caller's mistake, not a crash."""
    with pytest.raises(UnsupportedRequest):
        WIRE.encode(ChatRequest(model="f", messages=[]), "m")
    with pytest.raises(UnsupportedRequest):
        WIRE.decoder()


@UNHURRIED
@given(
    st.binary(max_size=80)
    | st.fixed_dictionaries(
        {"data": JSON_VALUES | st.lists(st.fixed_dictionaries({"embedding": JSON_VALUES}), max_size=2)}
    ).map(lambda value: json.dumps(value).encode())
)
def test_nonsense_is_refused_and_never_breaks_us(body):
    """Whatever an upstream sends, only our own errors come out."""
    with contextlib.suppress(GatewayError):
        WIRE.decode(body)
