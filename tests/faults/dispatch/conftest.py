"""A started gateway, a provider that misbehaves on command, and features nobody has used before."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.asking import DIALECTS, Got, ask
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.misbehaving import Misbehaving, Play, misbehaving_provider
from tests.support.raw_client import attempts_of, record_of, sockets_of, until

__all__: list[str] = []

PRIMARY_PRICE, SPARE_PRICE = 1000, 3000
"""Nano-dollars a token; the bill shows who was paid."""
ABLE = '["tools", "images", "files", "json", "thinking", "prefill"]'
BOUND = 12.0
"""Seconds after which no caller of these features may still be waiting, on a busy machine too."""
IDLE = 16
"""Connections that may wait to be used again."""
SPARE = {"chat": "messages", "responses": "chat", "messages": "chat"}
"""Wire of the primary -> wire of the fallback: what fails over is translated, too."""

PROVIDERS = """
[server]
drain_time = "400ms"

[providers.chat]
kind = "openai"
base_url = "{url}/v1"

[providers.responses]
kind = "openai"
base_url = "{url}/v1"
responses = true

[providers.messages]
kind = "anthropic"
api_key = "k"
base_url = "{url}"
"""
KEYED = """
[providers.keyed-{wire}]
kind = "{kind}"
api_keys = ["first-key", "second-key"]
base_url = "{url}{path}"
{more}
"""
NOBODY = """
[providers.nobody-{wire}]
kind = "{kind}"
api_key = "k"
base_url = "http://127.0.0.1:9{path}"
"""
QUICK = '{ connect = "2s", first_token = "700ms", between_tokens = "500ms", attempt = "1s", total = "6s" }'
HASTY = '{ connect = "1s", first_token = "500ms", between_tokens = "500ms", total = "900ms" }'
UNHURRIED = '{ connect = "3s", first_token = "3s", between_tokens = "3s", attempt = "3s", total = "8s" }'
PATIENT = 'attempts = 3, base = "20ms", most = "40ms", patience = "3s"'
MANNERS = {
    "calm": (80, f"timeouts = {UNHURRIED}"),
    "quick": (16, f"timeouts = {QUICK}"),
    "lone": (24, f"timeouts = {UNHURRIED}\nretry = {{ {PATIENT} }}"),
    "lone-quick": (6, f"timeouts = {HASTY}\nretry = {{ {PATIENT} }}"),
    "same": (8, f'timeouts = {UNHURRIED}\nretry = {{ {PATIENT}, first = "same" }}'),
    "liberal": (4, f'timeouts = {UNHURRIED}\non_content_filter = "failover"'),
    "narrow": (4, f"timeouts = {UNHURRIED}"),
    "keyed": (12, f"timeouts = {UNHURRIED}"),
    "twin": (16, f"timeouts = {QUICK}"),
    "unreachable": (2, f"timeouts = {UNHURRIED}"),
    "hedged": (8, f'timeouts = {UNHURRIED}\nhedge = {{ after = "150ms", share = 1.0 }}'),
    "resuming": (40, f"timeouts = {UNHURRIED}\nresume = true"),
    "resuming-quick": (8, f"timeouts = {QUICK}\nresume = true"),
}
"""Manner -> how many features of it there are for each wire, and their settings. `lone` ones have no fallback; the
fallback of `narrow` ones has a shorter context, that of `twin` ones the same wire; the provider of `keyed` ones has two
keys, and they have no fallback; nobody listens where the first model of `unreachable` ones is said to be."""


def configuration(url: str) -> str:
    """Every feature has a model of its own, so that what happens to one endpoint says nothing about another's."""
    lines = [PROVIDERS.format(url=url)]
    for wire in DIALECTS:
        path = "" if wire == "messages" else "/v1"
        kind = "anthropic" if wire == "messages" else "openai"
        lines.append(NOBODY.format(wire=wire, kind=kind, path=path))
        more = "responses = true" if wire == "responses" else ""
        lines.append(KEYED.format(wire=wire, kind=kind, path=path, url=url, more=more))
        for manner, (count, settings) in MANNERS.items():
            for number in range(count):
                name = f"{manner}-{wire}-{number}"
                spare = "" if manner.startswith(("lone", "keyed")) else f'fallback = ["spare-of-{name}"]'
                contexts = (2000, 1000) if manner == "narrow" else (0, 0)
                lines.append(f'[features.{name}]\nroute = "first-of-{name}"\n{spare}\n{settings}')
                provider = {"unreachable": f"nobody-{wire}", "keyed": f"keyed-{wire}"}.get(manner, wire)
                lines.append(_model(f"first-of-{name}", provider, PRIMARY_PRICE, contexts[0]))
                if spare:
                    other = wire if manner == "twin" else SPARE[wire]
                    lines.append(_model(f"spare-of-{name}", other, SPARE_PRICE, contexts[1]))
    return "\n".join(lines)


def _model(name: str, provider: str, price: int, context: int) -> str:
    usd = price / 1000
    # Of a server that speaks OpenAI's wire, its operator has to say that it goes on with a begun answer.
    able = f", abilities = {ABLE}" if "resuming" in name else ""
    return (
        f'[models.{name}]\nendpoints = [{{ provider = "{provider}", model = "{name}", context = {context}{able} }}]\n'
        f"price = {{ input = {usd}, output = {usd} }}"
    )


@dataclass(slots=True)
class Feature:
    """One that was never asked before, with the two models behind it."""

    name: str
    stage: Stage
    first: str
    spare: str

    def plays(self, first: Play | None = None, spare: Play | None = None) -> Feature:
        """What its two models do."""
        for model, play in ((self.first, first), (self.spare, spare)):
            if play is not None:
                self.stage.provider.plays[model] = play
        return self

    def ask(self, dialect: str, *, stream: bool, seconds: float = 10.0, **more: Any) -> Got:
        """Ask it as a caller does."""
        provider = self.stage.provider

        def seen() -> None:
            provider.saw(self.first)
            provider.saw(self.spare)

        began = time.monotonic()
        got = ask(self.stage.gateway, dialect, self.name, stream=stream, seen=seen, seconds=seconds, **more)
        assert time.monotonic() - began < BOUND, "the caller was kept waiting beyond every deadline"
        return got

    def asked(self) -> tuple[int, int]:
        """How often the first model and the spare one were asked."""
        provider = self.stage.provider
        return len(provider.asked(self.first)), len(provider.asked(self.spare))


@dataclass(slots=True)
class Stage:
    """The gateway and the provider behind it."""

    gateway: RunningGateway
    provider: Misbehaving
    sockets: int
    """That the gateway had open before anybody asked."""
    _numbers: dict[tuple[str, str], itertools.count[int]] = field(default_factory=dict)

    def feature(self, manner: str, wire: str) -> Feature:
        """A fresh one. wire: that of its first model."""
        number = next(self._numbers.setdefault((manner, wire), itertools.count()))
        assert number < MANNERS[manner][0], f"there are no more features `{manner}` for {wire}: write more"
        name = f"{manner}-{wire}-{number}"
        return Feature(name, self, f"first-of-{name}", f"spare-of-{name}")

    def record(self, got: Got) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """The stored record of a request and its attempts."""
        record = record_of(self.gateway, got.request_id)
        return record, attempts_of(self.gateway, record)


@pytest.fixture(scope="session")
def _stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with (
        misbehaving_provider() as provider,
        running_gateway(tmp_path_factory.mktemp("dispatch"), configuration(provider.url)) as gateway,
    ):
        yield Stage(gateway, provider, sockets_of(gateway))


@pytest.fixture
def stage(_stage: Stage) -> Iterator[Stage]:
    """Afterwards the gateway must be there, have let go of what failed, and have no stack in its log."""
    yield _stage
    gateway = _stage.gateway
    assert gateway.process.poll() is None, "the gateway is gone"
    # Good connections wait in the pool to be used again; those of failed answers must not.
    assert until(lambda: sockets_of(gateway) <= _stage.sockets + IDLE), "connections are left open"
    assert "Traceback" not in gateway.log, gateway.log
