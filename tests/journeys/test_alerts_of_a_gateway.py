"""A started gateway delivers alerts, counts them, and goes by the configuration as it is now."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from headgate.compose.stores import open_stores
from headgate.config.loader import load
from headgate.stores.alerts import Alert
from tests.support.alerted import web_server
from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"

[[alerts]]
name = "ops"
url = "{url}/first"
"""


def metrics(gateway: RunningGateway) -> dict[str, float]:
    request = urllib.request.Request(f"{gateway.url}/metrics", headers={"x-api-key": gateway.key})
    with urllib.request.urlopen(request, timeout=20) as reply:
        lines = [line for line in reply.read().decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def leave(directory: Path, event: str) -> None:
    """As a node that died after it kept an alert."""

    async def run() -> None:
        settings = load(directory / "headgate.toml").settings
        stores = open_stores(settings)
        now = time.time_ns()
        alert = Alert(event=event, kind="budget", subject="all", severity="info", at_ns=now, text="t")
        assert await stores.alerts.add(alert, ["file:ops"], now)
        await stores.aclose()

    asyncio.run(run())


def test_a_gateway_delivers_what_others_left_and_follows_its_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And tells how often, and whether it arrived."""
    monkeypatch.chdir(tmp_path)
    with web_server() as web, running_gateway(tmp_path, CONFIG.format(url=web.url)) as gateway:
        web.answers = [(500, {}, b"no")]
        leave(tmp_path, "e1")
        web.wait(lambda: len(web.posts) == 1)
        (tmp_path / "headgate.toml").write_text(CONFIG.format(url=web.url).replace("/first", "/second"))
        web.wait(lambda: len(web.posts) == 2)
        assert [each.path for each in web.posts] == ["/first", "/second"]
        until = time.monotonic() + 10
        while metrics(gateway)['headgate_alert_deliveries_total{outcome="delivered"}'] < 1:
            assert time.monotonic() < until
        found = metrics(gateway)
        assert found['headgate_alert_deliveries_total{outcome="failed"}'] == 1
        assert found["headgate_alerts_dropped_total"] == 0
        assert gateway.stop() == 0
        assert "Traceback" not in gateway.log


PAID = """
[providers.sim]
kind = "simulated"
speed = 0
models.steady = {{ error_rate = 0 }}

[models.small]
endpoints = [{{ provider = "sim", model = "steady" }}]
price = {{ input = 0, output = 1000 }}

[features]
shop = {{ route = "small" }}
mail = {{ route = "small" }}

[[budgets]]
name = "daily"
per = "day"
usd = 0.010
of = "feature"
prompt_margin = 1
wait = "0s"
alert_at = [0.5, 1.0]

[[alerts]]
name = "ops"
url = "{url}/ops"

[[alerts]]
name = "shop"
kind = "slack"
url = "{url}/shop"
only = {{ feature = ["shop"] }}
least = "critical"
"""


def ask(gateway: RunningGateway, feature: str) -> int:
    """The status of a request whose answer costs 0.002 USD at most."""
    body = {"model": feature, "max_tokens": 2, "messages": [{"role": "user", "content": "Tell me a story."}]}
    headers = {"x-api-key": gateway.key, "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            reply.read()
            return int(reply.status)
    except urllib.error.HTTPError as refused:
        refused.read()
        return refused.code


def test_a_budget_that_is_being_spent_is_told_of_at_each_threshold_once(tmp_path: Path) -> None:
    """To whoever wants to hear of that feature, that serious; nobody hears of a feature that spends little."""
    with web_server() as web, running_gateway(tmp_path, PAID.format(url=web.url)) as gateway:
        assert ask(gateway, "mail") == 200
        statuses = [ask(gateway, "shop") for _ in range(8)]
        assert statuses[0] == 200 and statuses[-1] != 200
        web.wait(lambda: len(web.posts) >= 3)
        assert gateway.stop() == 0
        said = [json.loads(each.body)["data"] for each in web.posts if each.path == "/ops"]
        told = sorted((each["subject"], each["facts"]["part"], each["severity"]) for each in said)
        assert told == [("feature:shop", 0.5, "info"), ("feature:shop", 1.0, "critical")]
        (chat,) = [json.loads(each.body)["text"] for each in web.posts if each.path == "/shop"]
        assert "`daily`" in chat and "feature `shop`" in chat
        assert "Traceback" not in gateway.log
