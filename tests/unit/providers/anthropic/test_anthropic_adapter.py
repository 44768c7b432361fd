"""Anthropic's adapter: addresses, credentials, what of the caller's headers goes along; and the count_tokens wire."""

from __future__ import annotations

import json

import anthropic
import httpx2
import pytest
from anthropic._constants import ANTHROPIC_API_VERSION

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest, UpstreamMalformed
from headgate.core.messages import EmbeddingsRequest, TokenCount
from headgate.providers.adapters.anthropic import API_VERSION, AnthropicAdapter, AnthropicSettings
from headgate.providers.port import Call, Headers
from headgate.providers.wires.anthropic_messages import AnthropicCountTokens
from tests.support.wires import request_from


def call(wire="anthropic.messages", headers=()):
    return Call("chat", wire, "claude-opus-5-5", b"{}", stream=False, headers=headers)


def test_the_version_is_the_installed_sdks():
    """A release of the SDK with another version makes this fail, so that somebody reads what it changes."""
    assert API_VERSION == ANTHROPIC_API_VERSION


def test_a_call_carries_key_version_and_the_callers_betas_only():
    """Neither the caller's own credentials nor any header off the list reaches the vendor."""
    adapter = AnthropicAdapter(AnthropicSettings(api_key="sk-1", headers={"X-Team": "blue"}))
    caller = [(b"anthropic-beta", b"files-api"), (b"authorization", b"Bearer hg-1"), (b"cookie", b"a=b")]
    request = adapter.request(call(headers=caller))
    assert (request.method, request.url.host, request.url.target) == (
        "POST",
        "api.anthropic.com",
        b"/v1/messages",
    )
    assert sorted(request.headers) == [
        (b"anthropic-beta", b"files-api"),
        (b"anthropic-version", API_VERSION.encode()),
        (b"content-type", b"application/json"),
        (b"x-api-key", b"sk-1"),
        (b"x-team", b"blue"),
    ]
    assert request.body == b"{}"


def test_the_callers_version_goes_before_ours():
    """Their body was written for it."""
    adapter = AnthropicAdapter(AnthropicSettings(api_key="sk-1"))
    sent = adapter.request(call(headers=[(b"Anthropic-Version", b"2023-06-01")])).headers
    assert [value for name, value in sent if name == b"anthropic-version"] == [b"2023-06-01"]


def test_calls_do_not_share_their_headers():
    """A list handed out twice would carry one caller's betas to the next."""
    adapter = AnthropicAdapter(AnthropicSettings(api_key="sk-1"))
    adapter.request(call(headers=[(b"anthropic-beta", b"x")]))
    assert b"anthropic-beta" not in dict(adapter.request(call()).headers)


def test_a_token_goes_as_bearer():
    """And then no key is sent."""
    sent = dict(AnthropicAdapter(AnthropicSettings(api_key="k", auth_token="t")).request(call()).headers)
    assert sent[b"authorization"] == b"Bearer t" and b"x-api-key" not in sent


def test_without_credentials_a_call_is_refused_before_it_is_made():
    """But a server of one's own may need none."""
    with pytest.raises(ProviderAuthFailed):
        AnthropicAdapter(AnthropicSettings()).request(call())
    own = AnthropicAdapter(AnthropicSettings(base_url="http://10.0.0.5:8000/v1/", self_hosted=True))
    assert own.request(call("anthropic.count_tokens")).url.target == b"/v1/messages/count_tokens"


def test_operations_have_their_wires():
    """Whatever wire the caller speaks, the vendor speaks its own."""
    adapter = AnthropicAdapter(AnthropicSettings(api_key="k"))
    names = {
        op: wire and wire.name
        for op in ("chat", "count_tokens", "embeddings", "models")
        for wire in [adapter.wire_for(op, "openai.chat")]
    }
    assert names == {
        "chat": "anthropic.messages",
        "count_tokens": "anthropic.count_tokens",
        "embeddings": None,
        "models": None,
    }
    with pytest.raises(UnsupportedRequest):
        adapter.request(call("openai.chat"))


def test_an_old_version_in_the_settings_brings_sampling_back():
    """The wire and the header are chosen together."""
    chat = {
        "model": "m",
        "temperature": 0.5,
        "messages": [{"role": "user", "parts": [{"type": "text", "text": "x"}]}],
    }
    for version, said in (("2023-06-01", True), (API_VERSION, False)):
        adapter = AnthropicAdapter(AnthropicSettings(api_key="k", version=version))
        wire = adapter.wire_for("chat", "openai.chat")
        assert wire is not None
        assert ("temperature" in json.loads(wire.encode(request_from(chat), "claude-sonnet-4-5"))) is said


def test_the_probe_lists_models():
    """Cheap, and wrong keys show."""
    probe = AnthropicAdapter(AnthropicSettings(api_key="k")).probe()
    assert (probe.method, probe.url.target) == ("GET", b"/v1/models?limit=1")
    assert dict(probe.headers)[b"x-api-key"] == b"k"


def test_no_secret_shows():
    """Adapters are printed in logs."""
    assert "sk-1" not in repr(AnthropicAdapter(AnthropicSettings(api_key="sk-1", auth_token="sk-1")))


COUNT = AnthropicCountTokens()


def test_a_count_asks_for_the_prompt_only():
    """The SDK's own count_tokens sends no more than this."""
    sent: list[dict[str, object]] = []

    def reply(request: httpx2.Request) -> httpx2.Response:
        sent.append(json.loads(request.content))
        return httpx2.Response(200, json={"input_tokens": 14})

    chat = request_from(
        {
            "model": "m", "max_tokens": 9, "temperature": 0.1, "stop": ["x"], "stream": True, "user": "u",
            "system": [{"type": "text", "text": "S"}],
            "messages": [{"role": "user", "parts": [{"type": "text", "text": "x"}]}],
            "tools": [{"name": "now"}],
        }
    )  # fmt: skip
    body = json.loads(COUNT.encode(chat, "claude-opus-5-5"))
    assert set(body) == {"model", "messages", "system", "tools"}
    client = anthropic.Anthropic(
        api_key="k", http_client=httpx2.Client(transport=httpx2.MockTransport(reply))
    )
    assert client.messages.count_tokens(**body).input_tokens == 14
    assert sent == [body]


def test_a_count_is_read_as_exact():
    """It is the provider's own."""
    assert COUNT.decode(b'{"input_tokens": 2095}') == TokenCount(input_tokens=2095, exact=True)
    assert COUNT.splice(b'{"model":"a"}', "b") == b'{"model":"b"}'


def test_what_is_no_count_is_refused():
    """In both directions."""
    with pytest.raises(UpstreamMalformed):
        COUNT.decode(b"[]")
    with pytest.raises(UnsupportedRequest):
        COUNT.encode(EmbeddingsRequest(model="m", inputs=["x"]), "claude-opus-5-5")
    with pytest.raises(UnsupportedRequest):
        COUNT.decoder()
    assert COUNT.decode_error(429, Headers(), b"").code == "provider_rate_limited"
