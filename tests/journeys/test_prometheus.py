"""A real Prometheus scrapes a started gateway, and every panel of the Grafana file asks it something it can answer."""

from __future__ import annotations

import concurrent.futures
import contextlib
import json
import math
import re
import shutil
import signal
import sqlite3
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.telemetry.names import FIRST_TOKEN, METRICS, OVERHEAD, TOOK, Metric
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
falling = { route = "down", fallback = ["up"], retry = { attempts = 1 } }
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
    static_configs: [{{ targets: [{targets}] }}]
"""
FILLED = {"$__rate_interval": "10s", "$__range": "1m", "$instance": ".*", "$feature": ".*"}


def panels() -> list[dict[str, Any]]:
    """Those that show something."""
    return [each for each in json.loads(DASHBOARD.read_text())["panels"] if each["type"] != "row"]


@contextlib.contextmanager
def prometheus(folder: Path, *gateways: RunningGateway) -> Iterator[str]:
    """Its address."""
    targets = ", ".join(json.dumps(each.url.removeprefix("http://")) for each in gateways)
    program, port = shutil.which("prometheus"), free_port()
    assert program
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(targets=targets))
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


def ask(gateway: RunningGateway, feature: str, words: str = "hello", *, stream: bool = False) -> None:
    asked = {"model": feature, "stream": stream, "messages": [{"role": "user", "content": words}]}
    body = json.dumps(asked).encode()
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
        prometheus(tmp_path, gateway) as server,
    ):
        until(server, "headgate_in_flight")
        for _ in range(3):
            for feature in ("plain", "failing", "degrading", "falling"):
                ask(gateway, feature, stream=feature == "plain")
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
        for annotation in json.loads(DASHBOARD.read_text())["annotations"]["list"]:
            answer(server, annotation["expr"].replace("$instance", ".*"))


SPREAD = """
[providers.sim]
kind = "simulated"
vary = true
models.steady = { error_rate = 0.1, faults = ["error_500"], first_token = { median = "40ms", p95 = "150ms" } }

[models]
up = { endpoints = [{ provider = "sim", model = "steady", price = { input = 1, output = 2 } }] }

[features]
plain = { route = "up", retry = { attempts = 1 } }
"""
COLUMNS = "outcome, stream, total_us, first_content_us, overhead_us, cost_nanos, input_tokens, output_tokens"


def stored(gateway: RunningGateway) -> list[dict[str, Any]]:
    """What it has recorded."""
    with contextlib.closing(sqlite3.connect(f"file:{gateway.database}?mode=ro", uri=True)) as database:
        names = COLUMNS.split(", ")
        return [
            dict(zip(names, row, strict=True)) for row in database.execute(f"SELECT {COLUMNS} FROM request")
        ]


def assert_quantiles(server: str, metric: Metric, outcome: str, micros: list[int]) -> None:
    """What Prometheus makes of the buckets of all gateways lies in the bucket where the recorded value lies."""
    values = sorted(each / 1e6 for each in micros)
    for share in (0.5, 0.9, 0.95, 0.99):
        query = f'histogram_quantile({share}, sum by (le) ({metric.name}_bucket{{outcome="{outcome}"}}))'
        (said,) = answer(server, query)
        true = values[max(math.ceil(len(values) * share), 1) - 1]
        ends = (0.0, *metric.bounds)
        below = max(end for end in ends if end < true)
        above = min((end for end in ends if end >= true), default=ends[-1])
        assert below <= float(said["value"][1]) <= above, (metric.name, share, true, said)


@pytest.mark.needs("prometheus")
def test_percentiles_over_several_gateways_are_those_of_their_records(tmp_path: Path) -> None:
    """Each shows its own; added up they are all of them: times within a bucket, tokens and money to the last one."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with (
        running_gateway(tmp_path / "a", SPREAD) as one,
        running_gateway(tmp_path / "b", SPREAD) as other,
        prometheus(tmp_path, one, other) as server,
    ):
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            for number in range(120):
                pool.submit(
                    ask, one if number % 3 else other, "plain", f"number {number}", stream=number % 2 == 0
                )
        until(server, "sum(headgate_request_seconds_count) == 120")
        until(server, "count(headgate_build_info) == 2")
        due = time.monotonic() + 20
        while len(rows := stored(one) + stored(other)) < 120:
            assert time.monotonic() < due
            time.sleep(0.1)
        answered = [row for row in rows if row["outcome"] == "ok"]
        failed = [row for row in rows if row["outcome"] == "failed"]
        assert len(answered) > 80 and len(failed) > 2 and len(stored(one)) == 80
        assert_quantiles(server, TOOK, "ok", [row["total_us"] for row in answered])
        assert_quantiles(server, TOOK, "failed", [row["total_us"] for row in failed])
        assert_quantiles(server, OVERHEAD, "ok", [row["overhead_us"] for row in answered])
        streams = [row["first_content_us"] for row in answered if row["stream"]]
        assert_quantiles(server, FIRST_TOKEN, "ok", streams)
        for query, wanted in (
            ("sum(headgate_cost_usd_total)", sum(row["cost_nanos"] for row in rows) / 1e9),
            ('sum(headgate_tokens_total{kind="input"})', sum(row["input_tokens"] for row in rows)),
            ('sum(headgate_tokens_total{kind="output"})', sum(row["output_tokens"] for row in rows)),
            ('sum(headgate_errors_total{error="provider_error"})', len(failed)),
            ("sum(headgate_tokens_per_second_count)", len(answered)),
            ("sum(headgate_queue_seconds_count)", len(rows)),
        ):
            (said,) = answer(server, query)
            assert float(said["value"][1]) == pytest.approx(wanted, rel=1e-12), query


def test_the_dashboard_asks_only_for_metrics_that_exist() -> None:
    """So that a metric that is renamed is renamed there too."""
    asked = set(re.findall(r"headgate_\w+", " ".join(t["expr"] for p in panels() for t in p["targets"])))
    parts = {f"{metric.name}{part}" for metric in METRICS if metric.bounds for part in ("_bucket", "_count")}
    assert asked <= {metric.name for metric in METRICS} | parts
    shown = {name.removesuffix("_bucket") for name in asked}
    assert {metric.name for metric in METRICS if metric.bounds} <= shown, "every histogram is on it"
    assert len(asked) >= 25


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
