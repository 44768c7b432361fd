"""A real Prometheus scrapes a started gateway, and every panel of the Grafana file asks it something it can answer."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.telemetry.names import METRICS
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.otlp_receiver import otlp_receiver
from tests.support.ports import free_port

__all__: list[str] = []

DASHBOARD = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "headgate.json"
CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0 }
models.dead = { error_rate = 1, faults = ["error_500"] }

[models]
down = { endpoints = [{ provider = "sim", model = "dead", price = { input = 1, output = 1 } }] }
up = { endpoints = [{ provider = "sim", model = "steady", price = { input = 1, output = 1 } }] }

[features]
plain = { route = "up" }
failing = { route = "down", retry = { attempts = 1 } }
degrading = { route = "down", retry = { attempts = 2, patience = "1s" }, degrade = ["say:Later."] }

[[budgets]]
name = "month"
per = "month"
usd = 100
of = "feature"

[telemetry.otlp]
endpoint = "ADDRESS"
every = "200ms"
"""
PROMETHEUS = """
global: {{ scrape_interval: 200ms, scrape_timeout: 200ms }}
scrape_configs:
  - job_name: headgate
    static_configs: [{{ targets: ["{target}"] }}]
"""
FILLED = {"$__rate_interval": "10s", "$__range": "1m", "$instance": ".*", "$feature": ".*"}


def panels() -> list[dict[str, Any]]:
    """Those that show something."""
    return [each for each in json.loads(DASHBOARD.read_text())["panels"] if each["type"] != "row"]


@contextlib.contextmanager
def prometheus(folder: Path, target: str) -> Iterator[str]:
    """Its address."""
    program, port = shutil.which("prometheus"), free_port()
    assert program
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(target=target))
    command = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def answer(server: str, query: str) -> list[dict[str, Any]]:
    """What PromQL gives. An error of the query fails the test."""
    url = f"{server}/api/v1/query?{urllib.parse.urlencode({'query': query})}"
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return list(json.load(reply)["data"]["result"])
    except urllib.error.HTTPError as refused:
        raise AssertionError(f"{query}: {refused.read().decode()}") from None
    except OSError:
        return []  # it is starting


def until(server: str, query: str) -> None:
    """Wait for an answer with something in it."""
    due = time.monotonic() + 30
    while not answer(server, query):
        assert time.monotonic() < due, f"never an answer to {query}"
        time.sleep(0.1)


def ask(gateway: RunningGateway, feature: str) -> None:
    body = json.dumps({"model": feature, "messages": [{"role": "user", "content": "hello"}]}).encode()
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.url}/v1/chat/completions", body, headers)
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=20) as reply:
        reply.read()


def series_of(gateway: RunningGateway) -> set[str]:
    """Names of metrics that have at least one."""
    with urllib.request.urlopen(f"{gateway.url}/metrics", timeout=10) as reply:
        return set(re.findall(r"^(headgate_\w+)[ {]", reply.read().decode(), re.MULTILINE))


@pytest.mark.needs("prometheus")
def test_every_panel_shows_something_once_there_was_traffic(tmp_path: Path) -> None:
    """Every query is one that Prometheus understands, and of what a gateway shows nothing is empty."""
    with (
        otlp_receiver() as receiver,
        running_gateway(tmp_path, CONFIG.replace("ADDRESS", receiver.url)) as gateway,
        prometheus(tmp_path, gateway.url.removeprefix("http://")) as server,
    ):
        until(server, "headgate_in_flight")
        for _ in range(3):
            for feature in ("plain", "failing", "degrading"):
                ask(gateway, feature)
        receiver.until(lambda it: len(it.spans()) >= 9)
        until(server, 'rate(headgate_attempts_total{outcome="failed"}[10s]) > 0')
        until(server, 'rate(headgate_otlp_spans_total{outcome="sent"}[10s]) > 0')
        shown = series_of(gateway)
        empty = []
        for panel in panels():
            for target in panel["targets"]:
                query = target["expr"]
                for name, value in FILLED.items():
                    query = query.replace(name, value)
                wanted = set(re.findall(r"headgate_\w+", query))
                if not answer(server, query) and wanted <= shown:
                    empty.append((panel["title"], query))
        assert not empty
        (moment,) = answer(server, f"sum(rate(headgate_requests_total[{FILLED['$__rate_interval']}]))")
        assert float(moment["value"][1]) > 0
        assert shown >= {"headgate_requests_total", "headgate_attempts_total", "headgate_degraded_total"}


def test_the_dashboard_asks_only_for_metrics_that_exist() -> None:
    """So that a metric that is renamed is renamed there too."""
    asked = set(re.findall(r"headgate_\w+", " ".join(t["expr"] for p in panels() for t in p["targets"])))
    assert asked <= {metric.name for metric in METRICS}
    assert len(asked) >= 15


def test_the_dashboard_stands_without_overlaps() -> None:
    """Panels have ids of their own, and lie beside one another in 24 columns."""
    board = json.loads(DASHBOARD.read_text())
    assert len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert all(x < 24 for x, _ in cells)
        taken |= cells
