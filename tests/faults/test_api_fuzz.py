"""`/api` of a started gateway against schemathesis, which knows only the description that the gateway gives of itself."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from headgate.control.http.routes import ROUTES
from headgate.stores.sealing import new_master_key
from tests.support.gateway import running_gateway
from tests.support.postgres_server import postgres_server
from tests.support.raw_client import until
from tests.support.stores import SHARED
from tests.support.tokens import AUDIENCE, ISSUER, document, token

__all__: list[str] = []

CONFIG = f"""
[providers.sim]
kind = "simulated"
speed = 0

[models.small]
endpoints = [{{ provider = "sim", model = "sim-small" }}]

[features.chat]
route = "small"
cache = {{ exact = "1h", scope = "feature" }}
contract = {{ availability = 0.99, latency_p95 = "5s", quality = {{ thumbs = 0.8 }} }}

# Outages that it rehearses must not outlast its patience with what asks a model.
[defaults]
timeouts = {{ first_token = "2s", between_tokens = "2s", total = "4s" }}

[feedback]
tokens = true

[[budgets]]
name = "credits"
per = "prepaid"
each = false
only.user = ["ann"]

[tokens.corp]
issuer = "{ISSUER}"
audience = "{AUDIENCE}"
jwks = "jwks.json"
roles = {{ boss = "owner" }}
"""
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "missing_required_header",
    "unsupported_method",
    "allow_header_conformance",
    "ignored_auth",
)
"""All that it has, but for three: that whatever the types allow is accepted (a duration that is none is not), that what was
taken away cannot be looked at any more (a revoked key can), and that what was made is there (which it guesses from names)."""
EXAMPLES = {"sqlite": 8, "postgres": 3}
"""For each operation, besides those that are made from the edges of its types."""
SEED = 20261121


def asked(url: str, bearer: str) -> str:
    """The id of a request that was made and is stored, so that there is something to find."""
    headers = {"authorization": f"Bearer {bearer}", "content-type": "application/json"}
    body = json.dumps({"model": "chat", "messages": [{"role": "user", "content": "hello"}]}).encode()
    with urlopen(Request(f"{url}/v1/chat/completions", body, headers), timeout=30) as reply:
        found = str(reply.headers["x-request-id"])

    def stored() -> bool:
        with urlopen(Request(f"{url}/api/requests", headers=headers), timeout=30) as reply:
            return found.encode() in reply.read()

    assert until(stored)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("backend", SHARED)
def test_schemathesis_finds_nothing(tmp_path: Path, backend: str) -> None:
    """No server error, nothing but what is described, no method or key that should not do and does.

    It asks with a token: with a key it would sooner or later revoke its own, and then find everything in order."""
    (tmp_path / "jwks.json").write_bytes(document("one"))
    environment = {"HEADGATE_SECRET_KEY": new_master_key()}
    with contextlib.ExitStack() as open_things:
        config = CONFIG
        if backend == "postgres":
            database = open_things.enter_context(postgres_server()).new_database()
            config += f'\n[server]\ndatabase = "{database}"\n'
        gateway = open_things.enter_context(running_gateway(tmp_path, config, environment=environment))
        bearer = token(roles=["boss"]).decode()
        asked(gateway.url, bearer)
        report = tmp_path / "report.json"
        command = [
            str(Path(sys.executable).with_name("schemathesis")),
            *("run", f"{gateway.url}/api/openapi.json"),
            *("-H", f"Authorization: Bearer {bearer}"),
            *("--checks", ",".join(CHECKS)),
            *("--max-examples", str(EXAMPLES[backend]), "--seed", str(SEED)),
            *("--continue-on-failure", "--no-color", "--warnings", "off"),
            *("--report", "json", "--report-json-path", str(report)),
        ]
        done = subprocess.run(
            command,
            cwd=tmp_path,
            env={k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")},
            capture_output=True,
            text=True,
            timeout=270,
        )
        assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
        told = json.loads(report.read_text())
        assert told["operations"]["tested"] == told["operations"]["total"] == len(ROUTES)
        assert told["test_cases"]["generated"] > 500
        # That it was let in, and came as far as the handlers. Ids it takes from answers, not always in time.
        reached = {
            name: sum(each["accepted"] for each in phases.values())
            for name, phases in told["valid_rates"].items()
            if "{" not in name
        }
        assert len(reached) > 10 and all(reached.values()), reached
        assert "Traceback" not in gateway.log, gateway.log
