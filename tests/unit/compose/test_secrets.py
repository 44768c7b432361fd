"""Secrets of the database on their way into providers: each to its own host, and to nobody when in doubt."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from headgate.compose.providers import build_provider
from headgate.compose.secrets import KnownSecrets, SecretsRefused, goes_to
from headgate.config.loader import parse
from headgate.config.model import Settings
from headgate.control.secrets import give_secret, reseal_secrets
from headgate.core.errors import ProviderAuthFailed
from headgate.providers.adapters.bedrock import BedrockSettings
from headgate.providers.port import Adapter, Call
from headgate.stores.backends.memory.secrets import MemorySecrets
from headgate.stores.errors import StoreUnavailable
from headgate.stores.sealing import Sealer, new_master_key
from tests.support.aio import aio

__all__: list[str] = []

MASTER = new_master_key()
ENVIRON = {"HEADGATE_SECRET_KEY": MASTER}
SEALER = Sealer.from_environment(ENVIRON)
CALL = Call("chat", "openai.chat", "m", b"{}", stream=False)


def openai(key: str = '"secret:openai"', url: str = "https://api.openai.com/v1") -> Settings:
    return parse(f'[providers.openai]\nkind = "openai"\nbase_url = "{url}"\napi_key = {key}\n', {}).settings


async def given(store: MemorySecrets, name: str, value: str, *hosts: str) -> None:
    await give_secret(store, SEALER, name, value, hosts or ["api.openai.com"], actor="test")


async def learned(store: MemorySecrets, settings: Settings) -> KnownSecrets:
    secrets = KnownSecrets(store, ENVIRON)
    await secrets.learn(settings)
    return secrets


def key_sent(adapter: Adapter) -> bytes:
    return dict(adapter.request(CALL).headers)[b"authorization"]


@aio
async def test_the_value_is_sent_in_the_place_of_its_name():
    """As if it had been written in the configuration."""
    store = MemorySecrets()
    await given(store, "openai", "sk-value")
    secrets = await learned(store, openai())
    assert key_sent(secrets.providers(openai())["openai"].adapter) == b"Bearer sk-value"


@aio
async def test_a_secret_for_another_host_is_refused_with_what_to_do():
    """A changed address of a provider must not take the key along: another host, another port, no TLS."""
    store = MemorySecrets()
    await given(store, "openai", "sk-value")
    for url, place in [
        ("https://api.openai.com.evil.test/v1", "api.openai.com.evil.test"),
        ("https://api.openai.com:8443/v1", "api.openai.com:8443"),
        ("http://api.openai.com/v1", "api.openai.com:80"),
        ("https://api.openai.com@evil.test/v1", "evil.test"),
    ]:
        settings = openai(url=url)
        secrets = await learned(store, settings)
        with pytest.raises(SecretsRefused, match=f"headgate secrets set openai --host {place}`"):
            secrets.providers(settings)


@aio
async def test_the_same_host_may_be_written_otherwise():
    """Capitals and the usual port make no other host; a secret may have several."""
    store = MemorySecrets()
    await given(store, "openai", "sk-value", "api.openai.com", "10.0.0.5:8000")
    for url in ("https://API.OpenAI.com:443/v1/", "http://10.0.0.5:8000/v1"):
        secrets = await learned(store, openai(url=url))
        assert key_sent(secrets.providers(openai(url=url))["openai"].adapter) == b"Bearer sk-value"


@aio
async def test_all_that_is_wrong_is_told_at_once():
    """What is not there, with the nearest name, and what does not open."""
    store = MemorySecrets()
    await given(store, "openai-prod", "sk-value")
    await give_secret(
        store,
        Sealer.from_environment({"HEADGATE_SECRET_KEY": new_master_key()}),
        "other",
        "v",
        ["h"],
        actor="t",
    )
    settings = parse(
        '[providers.a]\nkind = "openai"\napi_key = "secret:openai-prd"\n'
        '[providers.b]\nkind = "gemini"\napi_key = "secret:other"\n',
        {},
    ).settings
    with pytest.raises(SecretsRefused) as refused:
        await learned(store, settings)
    said = str(refused.value)
    assert "providers.a: there is no secret `openai-prd`" in said and "did you mean `openai-prod`" in said
    assert "providers.b: secret `other` does not open" in said


@aio
async def test_without_a_master_key_it_is_said_how_to_make_one():
    """Only to whoever keeps secrets in the database."""
    store = MemorySecrets()
    await given(store, "openai", "sk-value")
    with pytest.raises(SecretsRefused, match="headgate secrets new-key"):
        await KnownSecrets(store, {}).learn(openai())
    await KnownSecrets(store, {}).learn(openai('"plain"'))


def test_a_name_never_leaves_as_if_it_were_a_key():
    """Nobody has looked the value up yet: the provider calls nobody, and says why."""
    adapter = build_provider(openai().providers["openai"]).adapter
    for ask in (adapter.probe, lambda: adapter.request(CALL)):
        with pytest.raises(ProviderAuthFailed, match="`openai` is not there"):
            ask()
    assert adapter.kind == "openai" and adapter.wire_for("chat", "openai.chat") is not None


@aio
async def test_before_they_are_known_providers_are_built_and_call_nobody():
    """A gateway is put together before its database is open."""
    (provider,) = KnownSecrets(MemorySecrets(), ENVIRON).providers(openai()).values()
    with pytest.raises(ProviderAuthFailed):
        provider.adapter.request(CALL)


@aio
async def test_a_changed_value_is_noticed_and_builds_another_provider():
    """And nothing is built anew when nothing has changed."""
    store = MemorySecrets()
    await given(store, "openai", "first")
    secrets = await learned(store, openai())
    before = secrets.providers(openai())
    secrets._take(await store.all(), ["openai"])
    assert secrets.providers(openai(), before) == before
    await given(store, "openai", "second")
    secrets._take(await store.all(), ["openai"])
    after = secrets.providers(openai(), before)
    assert after["openai"] is not before["openai"] and key_sent(after["openai"].adapter) == b"Bearer second"


@aio
async def test_a_removed_secret_is_sent_no_more_and_a_returned_one_is():
    """The provider stays, calls nobody, and comes back."""
    store = MemorySecrets()
    await given(store, "openai", "first")
    secrets = await learned(store, openai())
    before = secrets.providers(openai())
    secrets._take([], ["openai"])
    gone = secrets.providers(openai(), before, forgiving=True)
    with pytest.raises(ProviderAuthFailed):
        gone["openai"].adapter.request(CALL)
    assert secrets.providers(openai(), gone, forgiving=True)["openai"] is gone["openai"]
    secrets._take(await store.all(), ["openai"])
    back = secrets.providers(openai(), gone, forgiving=True)
    assert key_sent(back["openai"].adapter) == b"Bearer first"


@aio
async def test_a_secret_that_is_moved_to_another_host_leaves_the_provider_without(caplog):
    """While the gateway runs the others go on; once it is right again, so does this one."""
    store = MemorySecrets()
    await given(store, "openai", "sk-value")
    secrets = await learned(store, openai())
    before = secrets.providers(openai())
    await given(store, "openai", "sk-value", "other.test")
    secrets._take(await store.all(), ["openai"])
    with caplog.at_level(logging.ERROR):
        gone = secrets.providers(openai(), before, forgiving=True)
    with pytest.raises(ProviderAuthFailed):
        gone["openai"].adapter.request(CALL)
    assert "may be sent to other.test alone" in caplog.text and "sk-value" not in caplog.text
    assert gone["openai"].upstream is not before["openai"].upstream  # which is closed when it is replaced
    await given(store, "openai", "sk-value")
    secrets._take(await store.all(), ["openai"])
    assert key_sent(secrets.providers(openai(), gone)["openai"].adapter) == b"Bearer sk-value"


@aio
async def test_of_several_keys_those_that_are_there_go_on():
    """One that is removed leaves no gap; when the last is gone nobody is called."""
    text = openai('"secret:a"\napi_keys = ["secret:b", "plain-key"]')
    store = MemorySecrets()
    await given(store, "a", "key-a")
    await given(store, "b", "key-b")
    secrets = await learned(store, text)
    assert [key_sent(adapter) for _, adapter in secrets.providers(text)["openai"].by_key] == [
        b"Bearer key-a",
        b"Bearer key-b",
        b"Bearer plain-key",
    ]
    secrets._take([each for each in await store.all() if each.name == "b"], ["a", "b"])
    assert [key_sent(adapter) for _, adapter in secrets.providers(text)["openai"].by_key] == [
        b"Bearer key-b",
        b"Bearer plain-key",
    ]
    only = openai('""\napi_keys = ["secret:a"]')
    secrets._take([], ["a"])
    with pytest.raises(ProviderAuthFailed):
        secrets.providers(only)["openai"].adapter.request(CALL)


@aio
async def test_what_is_sealed_under_a_key_this_node_has_not_been_told_goes_on_as_known(caplog):
    """Keys were rotated before every node was started again: the value is the same."""
    store, new = MemorySecrets(), new_master_key()
    await given(store, "openai", "sk-value")
    secrets = await learned(store, openai())
    both = Sealer.from_environment({"HEADGATE_SECRET_KEY": new, "HEADGATE_SECRET_KEY_OLD": MASTER})
    await reseal_secrets(store, both, actor="test")
    with caplog.at_level(logging.WARNING):
        secrets._take(await store.all(), ["openai"])
        secrets._take(await store.all(), ["openai"])
    assert key_sent(secrets.providers(openai())["openai"].adapter) == b"Bearer sk-value"
    assert caplog.text.count("goes on being used") == 1 and "HEADGATE_SECRET_KEY_OLD" in caplog.text


class Away(MemorySecrets):
    """A database that does not answer when it is told to."""

    away = False

    async def all(self) -> Any:
        if self.away:
            raise StoreUnavailable("away")
        return await super().all()


@aio
async def test_while_the_database_is_away_known_secrets_do():
    """A reload that asks for nothing new goes through; one that does is refused."""
    store = Away()
    await given(store, "openai", "sk-value")
    secrets = await learned(store, openai())
    store.away = True
    await secrets.learn(openai())
    with pytest.raises(StoreUnavailable):
        await secrets.learn(openai('"secret:new"'))


def test_bedrock_asks_two_hosts():
    """Its models are listed elsewhere than they are called; a secret for it names both."""
    settings = BedrockSettings(region="eu-central-1", api_key="bedrock-key")
    assert goes_to(build_provider(settings).adapter) == {
        "bedrock.eu-central-1.amazonaws.com",
        "bedrock-runtime.eu-central-1.amazonaws.com",
    }


@pytest.mark.parametrize("key", ["", "sk-value"])
def test_a_proxy_that_would_read_the_key_is_refused(key, monkeypatch):
    """Through TLS it sees none; without TLS it sees all. A provider without a key may go through it."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:pw@proxy.test:3128")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    wanted = openai(f'"{key}"', "http://models.test/v1").providers["openai"]
    if not key:
        build_provider(wanted)
        return
    with pytest.raises(ValueError, match=r"proxy\.test:3128 would read the key for models.test") as refused:
        build_provider(wanted)
    assert "pw" not in str(refused.value) and "sk-value" not in str(refused.value)
    build_provider(openai(f'"{key}"', "https://models.test/v1").providers["openai"])
    monkeypatch.setenv("NO_PROXY", "models.test")
    build_provider(wanted)
