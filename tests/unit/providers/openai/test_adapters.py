"""Where OpenAI's and Azure's adapters call, and with what credentials."""

from __future__ import annotations

import msgspec
import pytest

from headgate.core.errors import ProviderAuthFailed, UnsupportedRequest
from headgate.core.messages import ChatRequest
from headgate.providers.adapters.azure_openai import AzureOpenAIAdapter, AzureOpenAISettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.port import Call, UpstreamRequest, Wire

__all__: list[str] = []

HOUSE = "http://10.0.0.5:8000/v1/"
RESOURCE = "https://res.openai.azure.com"


def call(wire: str = "openai.chat", model: str = "m", headers: tuple[tuple[bytes, bytes], ...] = ()) -> Call:
    operation = "embeddings" if wire == "openai.embeddings" else "chat"
    return Call(operation=operation, wire=wire, model=model, body=b"{}", stream=False, headers=headers)  # type: ignore[arg-type]


def where(request: UpstreamRequest) -> str:
    url = request.url
    return f"{request.method} {url.scheme}://{url.host}:{url.port}{url.target.decode()}"


def name_of(wire: Wire | None) -> str:
    return "" if wire is None else wire.name


def limit_field(wire: Wire | None) -> str:
    assert wire is not None
    body = msgspec.json.decode(wire.encode(ChatRequest(model="f", messages=[], max_tokens=1), "m"))
    return str(next(name for name in body if name.startswith("max_")))


@pytest.mark.parametrize(
    ("wire", "path"),
    [
        ("openai.chat", "chat/completions"),
        ("openai.responses", "responses"),
        ("openai.embeddings", "embeddings"),
    ],
)
def test_each_wire_has_its_path(wire, path):
    """At OpenAI, and below any other base address, with or without a slash at its end."""
    at_openai = OpenAIAdapter(OpenAISettings(api_key="sk-1")).request(call(wire))
    assert where(at_openai) == f"POST https://api.openai.com:443/v1/{path}"
    at_home = OpenAIAdapter(OpenAISettings(base_url=HOUSE)).request(call(wire))
    assert where(at_home) == f"POST http://10.0.0.5:8000/v1/{path}"


def test_the_key_and_the_account_are_sent():
    """As OpenAI's reference names the headers, beside those of the configuration."""
    settings = OpenAISettings(api_key="sk-1", organization="org-1", project="proj-1", headers={"X-Team": "a"})
    assert list(OpenAIAdapter(settings).request(call()).headers) == [
        (b"content-type", b"application/json"),
        (b"authorization", b"Bearer sk-1"),
        (b"openai-organization", b"org-1"),
        (b"openai-project", b"proj-1"),
        (b"x-team", b"a"),
    ]


def test_a_server_of_ones_own_needs_no_key():
    """No empty Bearer header, which some servers refuse."""
    names = [name for name, _ in OpenAIAdapter(OpenAISettings(base_url=HOUSE)).request(call()).headers]
    assert names == [b"content-type"]


@pytest.mark.parametrize("ask", [lambda adapter: adapter.request(call()), lambda adapter: adapter.probe()])
@pytest.mark.parametrize(
    "adapter",
    [OpenAIAdapter(OpenAISettings()), AzureOpenAIAdapter(AzureOpenAISettings(endpoint=RESOURCE))],
    ids=repr,
)
def test_a_vendor_is_not_called_without_credentials(adapter, ask):
    """The refusal names the setting instead of a round trip that ends in 401."""
    with pytest.raises(ProviderAuthFailed, match="api_key"):
        ask(adapter)


def test_of_the_callers_headers_only_the_listed_pass():
    """Never the caller's own key, account or cookies."""
    sent = (
        (b"openai-beta", b"assistants=v2"),
        (b"authorization", b"Bearer caller"),
        (b"openai-organization", b"theirs"),
        (b"cookie", b"a=b"),
        (b"idempotency-key", b"1"),
    )
    request = OpenAIAdapter(OpenAISettings(api_key="sk-1")).request(call(headers=sent))
    assert (b"openai-beta", b"assistants=v2") in request.headers
    assert b"Bearer caller" not in dict(request.headers).values() and len(request.headers) == 3


def test_one_calls_headers_do_not_reach_the_next():
    """What all calls say is shared, and nobody can add to it."""
    adapter = OpenAIAdapter(OpenAISettings(api_key="sk-1"))
    shared = adapter.request(call()).headers
    assert isinstance(shared, tuple)
    assert len(adapter.request(call(headers=((b"openai-beta", b"x"),))).headers) == 3
    assert adapter.request(call()).headers == shared and len(shared) == 2


@pytest.mark.parametrize(
    ("settings", "native"),
    [
        (OpenAISettings(api_key="k"), True),
        (OpenAISettings(api_key="k", base_url="https://eu.api.openai.com/v1"), True),
        (OpenAISettings(base_url="https://notapi.openai.com.example/v1"), False),
        (OpenAISettings(base_url=HOUSE), False),
        (OpenAISettings(base_url=HOUSE, responses=True), True),
        (OpenAISettings(api_key="k", responses=False), False),
    ],
)
def test_responses_go_out_as_they_came_where_they_are_spoken(settings, native):
    """Elsewhere they are made chats, which every server speaks; other callers are always made chats."""
    adapter = OpenAIAdapter(settings)
    assert name_of(adapter.wire_for("chat", "openai.responses")) == (
        "openai.responses" if native else "openai.chat"
    )
    assert name_of(adapter.wire_for("chat", "anthropic.messages")) == "openai.chat"


@pytest.mark.parametrize(
    "adapter",
    [OpenAIAdapter(OpenAISettings()), AzureOpenAIAdapter(AzureOpenAISettings(endpoint=RESOURCE))],
    ids=repr,
)
def test_what_a_vendor_can_do_is_said(adapter):
    """Embeddings yes, counting tokens no: then the gateway estimates."""
    assert adapter.wire_for("embeddings", "openai.embeddings").name == "openai.embeddings"
    assert adapter.wire_for("count_tokens", "anthropic.count_tokens") is None
    assert adapter.wire_for("models", "openai.chat") is None


@pytest.mark.parametrize(
    ("adapter", "field"),
    [
        (OpenAIAdapter(OpenAISettings()), "max_completion_tokens"),
        (OpenAIAdapter(OpenAISettings(base_url=HOUSE)), "max_tokens"),
        (
            OpenAIAdapter(OpenAISettings(base_url=HOUSE, max_tokens_field="max_completion_tokens")),
            "max_completion_tokens",
        ),
        (OpenAIAdapter(OpenAISettings(max_tokens_field="max_tokens")), "max_tokens"),
        (AzureOpenAIAdapter(AzureOpenAISettings(endpoint=RESOURCE)), "max_completion_tokens"),
        (
            AzureOpenAIAdapter(AzureOpenAISettings(endpoint=RESOURCE, max_tokens_field="max_tokens")),
            "max_tokens",
        ),
    ],
    ids=repr,
)
def test_a_limit_is_said_as_the_server_knows_it(adapter, field):
    """OpenAI's newer models refuse the old name, other servers may ignore the new one."""
    assert limit_field(adapter.wire_for("chat", "openai.chat")) == field


def test_a_probe_lists_the_models():
    """Address and credentials are shown to work without spending a token."""
    assert (
        where(OpenAIAdapter(OpenAISettings(base_url=HOUSE)).probe()) == "GET http://10.0.0.5:8000/v1/models"
    )
    azure = AzureOpenAISettings(endpoint=RESOURCE, api_key="k")
    assert where(AzureOpenAIAdapter(azure).probe()) == f"GET {RESOURCE}:443/openai/v1/models"
    classic = AzureOpenAISettings(endpoint=RESOURCE, api_key="k", api_version="2024-10-21")
    assert (
        where(AzureOpenAIAdapter(classic).probe())
        == f"GET {RESOURCE}:443/openai/models?api-version=2024-10-21"
    )


@pytest.mark.parametrize(
    "endpoint", [RESOURCE, RESOURCE + "/", RESOURCE + "/openai", RESOURCE + "/openai/v1/"]
)
@pytest.mark.parametrize(
    ("version", "wire", "path"),
    [
        ("", "openai.chat", "/openai/v1/chat/completions"),
        ("", "openai.embeddings", "/openai/v1/embeddings"),
        ("", "openai.responses", "/openai/v1/responses"),
        (
            "2024-10-21",
            "openai.chat",
            "/openai/deployments/my%20gpt%2F4/chat/completions?api-version=2024-10-21",
        ),
        (
            "2024-10-21",
            "openai.embeddings",
            "/openai/deployments/my%20gpt%2F4/embeddings?api-version=2024-10-21",
        ),
        ("2025-04-01-preview", "openai.responses", "/openai/responses?api-version=2025-04-01-preview"),
    ],
)
def test_azure_is_addressed_by_either_path(endpoint, version, wire, path):
    """The v1 path names the deployment in the body, the classic one in the path; responses never do."""
    adapter = AzureOpenAIAdapter(AzureOpenAISettings(endpoint=endpoint, api_key="k", api_version=version))
    assert where(adapter.request(call(wire, model="my gpt/4"))) == f"POST {RESOURCE}:443{path}"


@pytest.mark.parametrize(
    ("settings", "header"),
    [
        (AzureOpenAISettings(endpoint=RESOURCE, api_key="k"), (b"api-key", b"k")),
        (AzureOpenAISettings(endpoint=RESOURCE, api_key="k", token="t"), (b"authorization", b"Bearer t")),
    ],
)
def test_azure_takes_its_own_key_or_a_token(settings, header):
    """One of them, never both, and nothing of the caller's."""
    request = AzureOpenAIAdapter(settings).request(
        call(headers=((b"openai-beta", b"x"), (b"api-key", b"caller")))
    )
    assert list(request.headers) == [(b"content-type", b"application/json"), header]


@pytest.mark.parametrize(
    "adapter",
    [
        OpenAIAdapter(OpenAISettings(api_key="k")),
        AzureOpenAIAdapter(AzureOpenAISettings(endpoint=RESOURCE, api_key="k")),
    ],
    ids=repr,
)
def test_a_wire_that_is_not_spoken_is_refused(adapter):
    """A mistake in routing is named, not sent to some path."""
    with pytest.raises(UnsupportedRequest, match=r"anthropic\.messages"):
        adapter.request(call("anthropic.messages"))


@pytest.mark.parametrize(
    "settings",
    [
        OpenAISettings(api_key="sk-secret", headers={"x-key": "sk-secret"}),
        AzureOpenAISettings(endpoint=RESOURCE, api_key="sk-secret", token="sk-secret"),
    ],
)
def test_no_secret_is_shown(settings):
    """Neither settings nor adapters print credentials, wherever a log or a traceback shows them."""
    adapter = (
        OpenAIAdapter(settings) if isinstance(settings, OpenAISettings) else AzureOpenAIAdapter(settings)
    )
    assert "sk-secret" not in repr(settings) + str(settings) + repr(adapter)


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        (OpenAIAdapter, OpenAISettings(base_url="api.openai.com/v1", api_key="sk-secret")),
        (OpenAIAdapter, OpenAISettings(api_key="sk-secret\n")),
        (OpenAIAdapter, OpenAISettings(headers={"x": "sk-secret\r\nx-more: 1"})),
        (AzureOpenAIAdapter, AzureOpenAISettings(api_key="sk-secret")),
        (AzureOpenAIAdapter, AzureOpenAISettings(endpoint=RESOURCE, api_key="sk-secret\u00fc")),
    ],
)
def test_what_cannot_be_sent_is_refused_at_the_start(kind, settings):
    """A key with a line break at its end is the commonest mistake; the message does not repeat it."""
    with pytest.raises(ValueError) as refused:
        kind(settings)
    assert "sk-secret" not in str(refused.value)


def test_settings_are_read_from_a_configuration():
    """As TOML gives them, unknown keys refused."""
    settings = msgspec.convert({"base_url": HOUSE, "self_hosted": True, "region": "eu"}, OpenAISettings)
    assert settings.self_hosted and settings.base_url == HOUSE
    with pytest.raises(msgspec.ValidationError, match="base_ur"):
        msgspec.convert({"base_ur": HOUSE}, OpenAISettings)
