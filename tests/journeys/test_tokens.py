"""A started gateway that takes an identity provider's tokens in place of keys."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until
from tests.support.records import shown
from tests.support.tokens import AUDIENCE, ISSUER, document, token

__all__: list[str] = []

CONFIG = f"""
[providers.sim]
kind = "simulated"
speed = 0

[features.chat]
route = "sim/sim-small"

[features.search]
route = "sim/sim-small"

[tokens.corp]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
jwks = "jwks.json"
refresh = "1s"
user_claim = "email"
team_claim = "team"
roles = {{ dev = "developer", watch = "viewer" }}
features = ["chat"]
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    directory: Path = tmp_path_factory.mktemp("tokens")
    (directory / "jwks.json").write_bytes(document("one"))
    with running_gateway(directory, CONFIG) as running:
        yield running
        assert "Traceback" not in running.log, running.log


def ask(
    gateway: RunningGateway, key: bytes, *, path: str = "/v1/chat/completions", model: str = "chat"
) -> tuple[int, str]:
    """Status, and the request's id."""
    connection = http.client.HTTPConnection(urlsplit(gateway.url).netloc, timeout=30)
    try:
        if path == "/":
            connection.request("GET", path, headers={"authorization": f"Bearer {key.decode()}"})
        else:
            body = json.dumps({"model": model, "messages": [{"role": "user", "content": "hello"}]})
            connection.request("POST", path, body, {"authorization": f"Bearer {key.decode()}"})
        reply = connection.getresponse()
        reply.read()
        return reply.status, reply.getheader("x-request-id") or ""
    finally:
        connection.close()


def test_a_token_is_as_good_as_a_key(gateway: RunningGateway) -> None:
    """And its bearer stands in the records, by the claims that say who it is."""
    status, request_id = ask(gateway, token(roles=["dev"], email="ann@acme.test", team="canal"))
    assert status == 200
    row = shown(gateway, request_id).request
    assert (row.key_id, row.user, row.team) == ("corp:u-1", "ann@acme.test", "canal")
    assert ask(gateway, gateway.key.encode())[0] == 200


def test_a_token_reaches_what_its_roles_do(gateway: RunningGateway) -> None:
    """And asks for the features that its issuer's tokens may."""
    developer, viewer, nobody = (token(roles=[role]) for role in ("dev", "watch", "owner"))
    assert [ask(gateway, one)[0] for one in (developer, viewer, nobody)] == [200, 403, 403]
    assert [ask(gateway, one, path="/")[0] for one in (developer, viewer, nobody)] == [200, 200, 401]
    assert ask(gateway, developer, model="search")[0] == 403


def test_a_token_that_is_not_good_is_no_key(gateway: RunningGateway) -> None:
    """Over, for somebody else, of somebody else, or none."""
    over = token(roles=["dev"], exp=int(time.time()) - 60)
    for wrong in (over, token(roles=["dev"], aud="x"), token("one", by="stranger", roles=["dev"]), b"a.b.c"):
        assert ask(gateway, wrong)[0] == 401


def test_the_issuer_takes_a_key_back(gateway: RunningGateway) -> None:
    """Within `refresh`, in both directions, without a restart."""
    file = gateway.directory / "jwks.json"
    first, second = token("one", roles=["dev"]), token("two", roles=["dev"])
    assert ask(gateway, first)[0] == 200 and ask(gateway, second)[0] == 401
    file.write_bytes(document("two"))
    assert until(lambda: ask(gateway, second)[0] == 200)
    assert ask(gateway, first)[0] == 401
    file.write_bytes(document("one"))
    assert until(lambda: ask(gateway, first)[0] == 200)


def test_an_issuer_can_be_added_while_it_runs(tmp_path: Path) -> None:
    """The file is read again, as for everything else."""
    (tmp_path / "jwks.json").write_bytes(document("one"))
    without, _, section = CONFIG.partition("[tokens.corp]")
    with running_gateway(tmp_path, without) as running:
        good = token(roles=["dev"])
        assert ask(running, good)[0] == 401
        (tmp_path / "headgate.toml").write_text(f"{without}[tokens.corp]{section}")
        assert until(lambda: ask(running, good)[0] == 200), running.log
