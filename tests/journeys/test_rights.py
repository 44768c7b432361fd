"""Who may what, on a started gateway: every role at every path, keys that rotate, keys that are revoked, the log of it all."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from click.testing import CliRunner

from headgate.admission.rights import CONTENT, RIGHTS, ROLES, allowed_roles
from headgate.cli import main
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0

[models.small]
endpoints = [{ provider = "sim", model = "sim-small" }]

[features.chat]
route = "small"

[features.search]
route = "small"
"""
SAY = {"model": "chat", "messages": [{"role": "user", "content": "hello"}]}
ANTHROPIC = {"anthropic-version": "2023-06-01"}
ROUTES: dict[str, tuple[str, str, dict[str, Any] | None, dict[str, str]]] = {
    "openai.chat": ("POST", "/v1/chat/completions", SAY, {}),
    "openai.responses": ("POST", "/v1/responses", {"model": "chat", "input": "hello"}, {}),
    "openai.embeddings": ("POST", "/v1/embeddings", {"model": "sim/sim-embed", "input": "hello"}, {}),
    "openai.models": ("GET", "/v1/models", None, {}),
    "anthropic.messages": ("POST", "/v1/messages", {**SAY, "max_tokens": 9}, ANTHROPIC),
    "anthropic.count_tokens": ("POST", "/v1/messages/count_tokens", SAY, ANTHROPIC),
    "anthropic.models": ("GET", "/v1/models/chat", None, ANTHROPIC),
    "dashboard": ("GET", "/", None, {}),
    "dashboard, metrics": ("GET", "/metrics", None, {}),
}


class Asked:
    """What came back."""

    def __init__(self, gateway: RunningGateway, route: str, key: str, **headers: str) -> None:
        method, path, body, more = ROUTES[route]
        connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
        try:
            sent = None if body is None else json.dumps(body)
            connection.request(
                method,
                path,
                sent,
                {
                    "authorization": f"Bearer {key}",
                    **more,
                    **{k.replace("_", "-"): v for k, v in headers.items()},
                },
            )
            reply = connection.getresponse()
            self.status, self.text = reply.status, reply.read().decode()
        finally:
            connection.close()


def command(gateway: RunningGateway, *arguments: str) -> Any:
    config = gateway.directory / "cli.toml"
    config.write_text(f'{CONFIG}\n[server]\ndatabase = "sqlite:///{gateway.database}"\n')
    done = CliRunner().invoke(main, [*arguments, "--config", str(config)])
    assert done.exit_code == 0, done.output
    return done


def made(gateway: RunningGateway, *arguments: str) -> str:
    return str(command(gateway, "keys", *arguments).stdout.strip())


def serves(gateway: RunningGateway, key: str, *, route: str = "openai.chat") -> bool:
    return Asked(gateway, route, key).status == 200


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("rights"), CONFIG) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="module")
def keys(gateway: RunningGateway) -> dict[str, str]:
    """One for each role; the gateway knows them all."""
    found = {role: made(gateway, "create", f"a-{role}", "--role", role) for role in ROLES}
    last = list(ROLES)[-1]
    assert until(lambda: serves(gateway, found[last])), gateway.log
    return found


@pytest.mark.parametrize("route", ROUTES)
def test_every_role_at_every_route(gateway: RunningGateway, keys: dict[str, str], route: str) -> None:
    """Served if the table says so, refused otherwise, in words that say what to do."""
    for role, key in keys.items():
        asked = Asked(gateway, route, key)
        if role in allowed_roles(route.partition(",")[0]):
            assert asked.status == 200, (role, asked.text)
        elif route.startswith("dashboard"):
            assert asked.status == 401 and "--role viewer" in asked.text
        else:
            assert asked.status == 403 and "not_allowed" in asked.text and "owner" in asked.text


def test_every_route_is_tried() -> None:
    """The table and this file know the same; `test_api.py` tries the rest of it."""
    tried = {route.partition(",")[0] for route in ROUTES}
    assert tried == {name for name in RIGHTS if not name.startswith("api.") and name != CONTENT}


def test_what_nobody_serves_is_nobodys(gateway: RunningGateway, keys: dict[str, str]) -> None:
    """Whoever asks learns nothing more, and who has no key not even that."""
    for path, stranger in (("/apis/keys", 404), ("/api/nothing", 401)):
        ROUTES["nowhere"] = ("GET", path, None, {})
        for key in keys.values():
            assert Asked(gateway, "nowhere", key).status == 404
        assert Asked(gateway, "nowhere", "hg_nobody").status == stranger
    del ROUTES["nowhere"]


def test_the_first_key_is_the_owners(gateway: RunningGateway) -> None:
    """It asks models and sees the page."""
    assert serves(gateway, gateway.key) and serves(gateway, gateway.key, route="dashboard")


def test_a_key_for_a_feature_asks_for_that_feature(gateway: RunningGateway) -> None:
    """And cannot have its requests counted for another."""
    key = made(gateway, "create", "searcher", "--feature", "chat")
    assert until(lambda: serves(gateway, key))
    refused = Asked(gateway, "openai.chat", key, x_headgate_feature="search")
    assert refused.status == 403 and "may not ask for feature `search`" in refused.text


def test_a_revoked_key_stops_within_a_second_or_so(gateway: RunningGateway) -> None:
    """Under use, without a restart; a rotated one stops with all it ever was."""
    first = made(gateway, "create", "leaver")
    second = made(gateway, "rotate", "leaver")
    assert until(lambda: serves(gateway, second)) and serves(gateway, first)
    command(gateway, "keys", "revoke", "leaver")
    began = time.monotonic()
    assert until(lambda: not serves(gateway, second))
    assert not serves(gateway, first)
    # The promise is one second; the rest is for machines that do many things at once.
    assert time.monotonic() - began < 5


def test_a_rotated_key_works_beside_the_new_one_and_then_no_more(gateway: RunningGateway) -> None:
    """Without a moment in which neither does, as one and the same caller in the records."""
    old = made(gateway, "create", "turner", "--team", "canal")
    assert until(lambda: serves(gateway, old))
    new = made(gateway, "rotate", "turner", "--overlap", "1h")
    while not serves(gateway, new):
        assert serves(gateway, old)
    assert serves(gateway, old)
    newest = made(gateway, "rotate", "turner", "--overlap", "0s")
    assert until(lambda: serves(gateway, newest) and not serves(gateway, old) and not serves(gateway, new))
    (listed,) = [each for each in listing(gateway) if each["name"] == "turner"]
    assert listed["state"] == "valid" and listed["team"] == "canal" and listed["old_keys_until"] == []


def listing(gateway: RunningGateway) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(command(gateway, "keys", "list", "--json").stdout)
    return found


def test_the_log_has_it_all_and_no_key(gateway: RunningGateway, keys: dict[str, str]) -> None:
    """Also the first key, which the gateway made by itself."""
    command(gateway, "chaos", "start", "sim", "silence", "--for", "1s", "--feature", "search")
    command(gateway, "keys", "revoke", "a-reviewer")
    log = json.loads(command(gateway, "audit", "list", "--json").stdout)
    first = log[0]
    assert (first["actor"], first["action"], first["after"]["name"]) == ("gateway", "key.create", "bootstrap")
    assert first["after"]["roles"] == ["owner"] and first["before"] is None
    assert {"key.create", "rehearsal.start", "key.revoke"} <= {each["action"] for each in log}
    last = log[-1]
    assert last["action"] == "key.revoke" and last["actor"].startswith("cli:")
    assert last["before"]["revoked"] is None and last["after"]["revoked"] is not None
    text = json.dumps(log)
    assert not any(key in text for key in (*keys.values(), gateway.key)) and '"hash"' not in text


def test_last_use_is_known_when_the_gateway_has_stopped(tmp_path) -> None:
    """And at the latest a minute after the use; a key that nobody used says so."""
    with running_gateway(tmp_path, CONFIG) as running:
        used, idle = made(running, "create", "used"), made(running, "create", "idle")
        assert until(lambda: serves(running, used)) and idle
        assert running.stop() == 0
        found = {each["name"]: each["last_used"] for each in listing(running)}
        assert found["used"] is not None and found["idle"] is None
