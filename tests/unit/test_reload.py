"""A configuration in place of another one: all of it or nothing, and nobody who is being answered notices."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from headgate.compose import reaching as reaching_module
from headgate.compose.gateway import Gateway
from headgate.compose.places import directory_of
from headgate.compose.providers import Provider
from headgate.config.loader import parse
from headgate.config.model import Configuration
from headgate.providers.adapters.openai import OpenAISettings
from headgate.providers.transport.client import Transport
from tests.support.aio import aio

__all__: list[str] = []

TEXT = """
[server]
database = "sqlite:///{folder}/h.db"
auth = "none"
[health]
failures = {failures}
[providers.o]
kind = "openai"
api_key = "{key}"
base_url = "http://127.0.0.1:9/v1"
[providers.p]
kind = "openai"
api_key = "same"
base_url = "http://127.0.0.1:9/v1"
[models.small]
endpoints = [{{ provider = "o", model = "small", concurrency = {concurrency} }}]
[models.other]
endpoints = [{{ provider = "p", model = "other" }}]
[features.long]
route = "o/gpt"
timeouts = {{ total = "{total}" }}
[features.copied]
route = "small"
shadow = {{ model = "p/copy", total = "{copy}" }}
"""


def written(folder: Path, **change: Any) -> Configuration:
    said = {"key": "first", "total": "60s", "failures": 5, "concurrency": 4, "copy": "20s", **change}
    return parse(TEXT.format(folder=folder, **said), {})


def closed(provider: Provider) -> bool:
    assert isinstance(provider.upstream, Transport)
    return provider.upstream._closed


@pytest.fixture
def delays(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Of what is closed later: (its key, seconds)."""
    found: list[Any] = []

    async def later(provider: Provider, seconds: float) -> None:
        assert isinstance(provider.settings, OpenAISettings)
        found.append((provider.settings.api_key, seconds))

    monkeypatch.setattr(reaching_module, "close_later", later)
    return found


@aio
async def test_what_is_replaced_stays_open_as_long_as_its_requests_were_promised(
    tmp_path: Path, delays: list[Any]
) -> None:
    """By the configuration they began with, however short the times of newer ones are."""
    gateway = Gateway(written(tmp_path, total="3600s"))
    await gateway.apply(written(tmp_path, total="30s", key="second"))
    await asyncio.sleep(0)
    assert delays == [("first", pytest.approx(3600))]
    await gateway.apply(written(tmp_path, total="30s", key="second", failures=2))
    await gateway.apply(written(tmp_path, total="30s", key="third"))
    await asyncio.sleep(0)
    # Those that began under the first one may be using it still.
    assert delays[1:] == [("second", pytest.approx(3600, abs=30))]
    await gateway.database.close()


@aio
async def test_what_is_replaced_stays_open_for_copies_too(tmp_path: Path, delays: list[Any]) -> None:
    """They begin when their original is over."""
    gateway = Gateway(written(tmp_path, copy="3000s"))
    await gateway.apply(written(tmp_path, key="second"))
    await asyncio.sleep(0)
    assert delays == [("first", pytest.approx(3000 + gateway.dispatching.manner("copied").total))]
    await gateway.database.close()


@aio
async def test_stopping_closes_what_was_to_be_closed_later(tmp_path: Path) -> None:
    """Before stop returns."""
    gateway = Gateway(written(tmp_path))
    await gateway.start()
    old = gateway.reaching.providers["o"]
    await gateway.apply(written(tmp_path, key="second"))
    await asyncio.sleep(0)
    assert not closed(old) and len(gateway.reaching._retired) == 1
    await gateway.stop()
    assert closed(old) and not gateway.reaching._retired


@aio
async def test_another_key_is_not_left_alone_for_what_was_said_of_the_old_one(tmp_path: Path) -> None:
    """Its endpoints keep their health, without the vendor's word; those of other providers keep all."""
    gateway = Gateway(written(tmp_path))
    now = time.monotonic()
    mine, other = (gateway.reaching.directory.reached(name)[0].health for name in ("small", "other"))
    for each in (mine, other):
        each.rest(now + 500, "the quota is spent")
        each.shun(now + 500)
    await gateway.apply(written(tmp_path, key="second"))
    assert gateway.reaching.directory.reached("small")[0].health is mine
    assert not mine.blocked(now) and not mine.ejected(now)
    assert other.blocked(now) and other.ejected(now)
    await gateway.stop()


@aio
async def test_a_configuration_that_does_not_work_leaves_no_trace(
    tmp_path: Path, delays: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is raised, and however late: providers, limits, health and prices stay as they were."""
    gateway = Gateway(written(tmp_path))
    before = gateway.configuration
    reaching = gateway.reaching
    providers, prices, directory = reaching.providers, reaching.prices, reaching.directory
    (endpoint,) = directory.reached("small")
    endpoint.health.rest(time.monotonic() + 500, "the quota is spent")
    real = directory_of

    def broken(*given: Any, **named: Any) -> Any:
        real(*given, **named)
        raise ImportError("DLL load failed while importing onnxruntime")

    monkeypatch.setattr(reaching_module, "directory_of", broken)
    with pytest.raises(ImportError):
        await gateway.apply(written(tmp_path, key="second", concurrency=1, failures=1))
    await asyncio.sleep(0)
    assert delays == [] and gateway.configuration is before
    assert reaching.providers is providers and reaching.prices is prices
    assert reaching.directory is directory
    assert endpoint.health.rates is not None and endpoint.health.rates.limits.concurrency == 4
    assert endpoint.health.settings.failures == gateway.reaching.healths.settings.failures == 5
    assert endpoint.health.blocked(time.monotonic())
    monkeypatch.undo()
    await gateway.apply(written(tmp_path, key="second", concurrency=1, failures=1))
    assert endpoint.health.rates.limits.concurrency == 1
    assert endpoint.health.settings.failures == gateway.reaching.healths.settings.failures == 1
    await gateway.stop()


@aio
async def test_every_place_of_the_configuration_is_kept_however_it_is_written(tmp_path: Path) -> None:
    """Of `[models]`, of a route by `provider/model`, of shadow copies; and it goes by the newest `[health]`."""
    gateway = Gateway(written(tmp_path))
    healths = gateway.reaching.healths
    assert healths._claimed == {"o/small", "p/other", "o/gpt", "p/copy"}
    (routed,) = gateway.reaching.directory.reached("o/gpt")
    gateway.reaching.directory.resolve("o/asked-by-a-caller")
    assert len(healths) == 5 and len(healths._claimed) == 4
    await gateway.apply(written(tmp_path, failures=2))
    assert gateway.reaching.directory.reached("o/gpt")[0].health is routed.health
    assert routed.health.settings.failures == 2
    await gateway.stop()


@aio
async def test_a_caller_who_names_a_place_changes_nothing_of_its_limits(tmp_path: Path) -> None:
    """`provider/model` says nothing of them."""
    gateway = Gateway(written(tmp_path))
    (written_so,) = gateway.reaching.directory.reached("small")
    named = gateway.reaching.directory.resolve("o/small").candidates[0]
    assert named.health is written_so.health and named.health.rates is not None
    await gateway.stop()


@aio
async def test_prices_of_earlier_configurations_are_not_kept(tmp_path: Path) -> None:
    """They would keep their endpoints, with adapters and connections, for as long as the process lives."""
    gateway = Gateway(written(tmp_path))
    before = gateway.reaching.prices
    await gateway.apply(written(tmp_path, failures=2))
    assert gateway.reaching.prices is not before
    assert gateway.reaching.directory.reached("small")
    await gateway.stop()
