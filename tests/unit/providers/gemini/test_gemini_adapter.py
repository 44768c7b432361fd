"""Gemini's adapter, and its wires for embeddings and token counts."""

from __future__ import annotations

import json

import pytest

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest, UpstreamMalformed
from headgate.core.messages import TokenCount
from headgate.providers.adapters.gemini import GeminiAdapter, GeminiSettings
from headgate.providers.port import Call, Headers
from headgate.providers.wires.gemini import GeminiCountTokens, GeminiEmbeddings
from tests.support.wires import embeddings_from, request_from

ADAPTER = GeminiAdapter(GeminiSettings(api_key="AIza-1"))


def call(wire="gemini.generate", *, stream=False, model="gemini-2.5-flash"):
    return Call("chat", wire, model, b"{}", stream=stream, headers=[(b"authorization", b"Bearer hg-1")])


@pytest.mark.parametrize(
    ("wire", "stream", "target"),
    [
        ("gemini.generate", False, b"/v1beta/models/gemini-2.5-flash:generateContent"),
        ("gemini.generate", True, b"/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse"),
        ("gemini.embeddings", False, b"/v1beta/models/gemini-2.5-flash:batchEmbedContents"),
        ("gemini.count_tokens", False, b"/v1beta/models/gemini-2.5-flash:countTokens"),
    ],
)
def test_the_path_names_model_and_action(wire, stream, target):
    """And the key goes in the header, never into the address, which is logged."""
    request = ADAPTER.request(call(wire, stream=stream))
    assert (request.method, request.url.host, request.url.target) == (
        "POST",
        "generativelanguage.googleapis.com",
        target,
    )
    assert dict(request.headers) == {b"content-type": b"application/json", b"x-goog-api-key": b"AIza-1"}


def test_addresses_are_remembered_within_bounds():
    """Callers who make up model names do not make memory grow."""
    adapter = GeminiAdapter(GeminiSettings(api_key="k"))
    for number in range(3000):
        adapter.request(call(model=f"m{number}"))
    assert len(adapter._urls) <= 1024
    assert adapter.request(call(model="m1")).url is adapter.request(call(model="m1")).url


def test_a_token_goes_as_bearer_and_no_credentials_are_refused():
    """A server of one's own may need none."""
    sent = dict(GeminiAdapter(GeminiSettings(api_key="k", auth_token="t")).request(call()).headers)
    assert sent[b"authorization"] == b"Bearer t" and b"x-goog-api-key" not in sent
    with pytest.raises(ProviderAuthFailed):
        GeminiAdapter(GeminiSettings()).probe()
    own = GeminiAdapter(
        GeminiSettings(base_url="http://127.0.0.1:99/", self_hosted=True, headers={"X-A": "b"})
    )
    assert own.probe().url.target == b"/models?pageSize=1"
    assert dict(own.probe().headers)[b"x-a"] == b"b"


def test_operations_have_their_wires():
    """Chat, embeddings, counts; nothing else."""
    for operation, name in (
        ("chat", "gemini.generate"),
        ("embeddings", "gemini.embeddings"),
        ("count_tokens", "gemini.count_tokens"),
    ):
        wire = ADAPTER.wire_for(operation, "openai.chat")  # type: ignore[arg-type]
        assert wire is not None and wire.name == name
    assert ADAPTER.wire_for("models", "openai.chat") is None
    with pytest.raises(UnsupportedRequest):
        ADAPTER.request(call("openai.chat"))
    with pytest.raises(UnsupportedRequest):
        ADAPTER.request(call("gemini.embeddings", stream=True))


def test_no_secret_shows():
    """Adapters are printed in logs."""
    assert "AIza" not in repr(ADAPTER)


EMBEDDINGS = GeminiEmbeddings()


def test_texts_are_embedded_in_one_batch():
    """One request per text, each naming the model."""
    body = EMBEDDINGS.encode(
        embeddings_from({"model": "m", "inputs": ["a", "b"], "dimensions": 256}), "gemini-embedding-001"
    )
    one = {"model": "models/gemini-embedding-001", "outputDimensionality": 256}
    assert json.loads(body) == {
        "requests": [{**one, "content": {"parts": [{"text": text}]}} for text in "ab"]
    }


def test_vectors_are_read_with_usage_where_it_is_said():
    """A missing report is None, not zero."""
    reply = EMBEDDINGS.decode(b'{"embeddings": [{"values": [0.5, -1]}, {"values": []}]}')
    assert (reply.vectors, reply.usage) == ([[0.5, -1.0], []], None)
    told = EMBEDDINGS.decode(b'{"embeddings": [], "usageMetadata": {"promptTokenCount": 4}}').usage
    assert told is not None and told.input == 4


def test_what_embeddings_cannot_do_is_refused():
    """Token ids, conversations, streams, other replies."""
    with pytest.raises(UnsupportedRequest):
        EMBEDDINGS.encode(embeddings_from({"model": "m", "inputs": [[1, 2]]}), "e")
    with pytest.raises(UnsupportedRequest):
        EMBEDDINGS.encode(request_from({"model": "m", "messages": []}), "e")
    with pytest.raises(UnsupportedRequest):
        EMBEDDINGS.decoder()
    with pytest.raises(UpstreamMalformed):
        EMBEDDINGS.decode(b'{"data": []}')
    assert EMBEDDINGS.decode_error(429, Headers(), b"").code == "provider_rate_limited"
    assert EMBEDDINGS.splice(b"{}", "e") == b"{}"


COUNT = GeminiCountTokens()


def test_a_count_asks_with_the_whole_prompt():
    """System instruction and tools count too; generation config does not."""
    chat = {"model": "m", "temperature": 1, "system": [{"type": "text", "text": "S"}], "tools": [{"name": "now"}],
            "messages": [{"role": "user", "parts": [{"type": "text", "text": "x"}]}]}  # fmt: skip
    [(key, inner)] = json.loads(COUNT.encode(request_from(chat), "gemini-2.5-flash")).items()
    assert key == "generateContentRequest" and inner["model"] == "models/gemini-2.5-flash"
    assert set(inner) == {"model", "contents", "systemInstruction", "tools"}
    assert COUNT.decode(b'{"totalTokens": 31, "cachedContentTokenCount": 2}') == TokenCount(
        input_tokens=31, exact=True
    )


def test_what_is_no_count_is_refused():
    """In both directions."""
    with pytest.raises(UpstreamMalformed):
        COUNT.decode(b'{"tokens": 1}')
    with pytest.raises(UnsupportedRequest):
        COUNT.encode(embeddings_from({"model": "m", "inputs": ["x"]}), "m")
    with pytest.raises(UnsupportedRequest):
        COUNT.decoder()
    assert COUNT.decode_error(404, Headers(), b"").code == "provider_model_unknown"
    assert COUNT.splice(b"{}", "e") == b"{}"
