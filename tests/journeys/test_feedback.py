"""Feedback on a started gateway: by the application, by its user's browser, from the command line; joined, counted, shown."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0 }

[models.main]
endpoints = [{ provider = "sim", model = "steady" }]

[features.chat]
route = "main"
"""
OPEN = '[feedback]\ntokens = true\norigins = ["https://shop.example"]\n'
ORIGIN = {"origin": "https://shop.example"}


def call(
    gateway: RunningGateway, path: str, body: object = None, *, key: bool = True, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(gateway.url + path, data)
    if data is not None:
        request.add_header("content-type", "application/json")
    if key:
        request.add_header("authorization", f"Bearer {gateway.key}")
    for name, value in headers.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=10) as reply:
            return reply.status, {k.lower(): v for k, v in reply.headers.items()}, reply.read()
    except urllib.error.HTTPError as refused:
        return refused.code, dict(refused.headers), refused.read()


def ask(gateway: RunningGateway, *, stream: bool = False) -> dict[str, str]:
    """The headers of an answer."""
    body = {"model": "chat", "stream": stream, "messages": [{"role": "user", "content": "Hello"}]}
    status, headers, _ = call(gateway, "/v1/chat/completions", body)
    assert status == 200
    return headers


def listed(gateway: RunningGateway, query: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(call(gateway, f"/api/feedback{query}")[2])["items"]
    return found


def wait_joined(gateway: RunningGateway, count: int) -> list[dict[str, Any]]:
    due = time.monotonic() + 20
    while True:
        found = listed(gateway)
        if len(found) == count and all(each["joined"] for each in found):
            return found
        assert time.monotonic() < due, found
        time.sleep(0.1)


def headgate(gateway: RunningGateway, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "headgate", *words],
        cwd=gateway.directory,
        env={**os.environ, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_feedback_is_taken_at_once_and_counted_when_its_request_is_stored(tmp_path: Path) -> None:
    """With the token of a whole answer and of a stream, by the key, and by command; the numbers are told everywhere."""
    with running_gateway(tmp_path, CONFIG + OPEN) as gateway:
        whole, stream = ask(gateway), ask(gateway, stream=True)
        for headers, thumbs in ((whole, "up"), (stream, "down")):
            said = {"token": headers["x-headgate-feedback"], "thumbs": thumbs, "comment": "So so."}
            status, got, _ = call(gateway, "/feedback", said, key=False, **ORIGIN)
            assert status == 200 and got["access-control-allow-origin"] == ORIGIN["origin"]
        rated = {"request": whole["x-request-id"], "rating": 4, "event": "e1"}
        for _ in range(2):
            assert call(gateway, "/api/feedback", rated)[0] == 200
        found = wait_joined(gateway, 5)
        assert {(each["feature"], each["model"]) for each in found} == {("chat", "main")}
        added = headgate(gateway, "feedback", "add", whole["x-request-id"], "--task-completed", "--json")
        assert added.returncode == 0 and json.loads(added.stdout)["state"] == "joined", added.stderr
        told = json.loads(headgate(gateway, "quality", "--json").stdout)["means"]
        assert {(each["name"], each["scores"], each["mean"]) for each in told} == {
            ("thumbs", 2, 0.5),
            ("rating", 1, 4.0),
            ("task_completed", 1, 1.0),
        }
        assert "main" in headgate(gateway, "quality", "--by", "model", "--changes").stdout
        assert "So so." in headgate(gateway, "feedback", "list").stdout
        text = call(gateway, "/metrics")[2].decode()
        samples = {
            (each.labels.get("name"), each.labels.get("source")): each.value
            for family in text_string_to_metric_families(text)
            for each in family.samples
            if each.name == "headgate_scores_total"
        }
        assert samples["thumbs", "user"] == 2 and samples["rating", "user"] == 1
        assert "headgate_scores_alone 0" in text
        assert "Traceback" not in gateway.log


def test_nothing_is_served_or_sent_where_nothing_is_configured(tmp_path: Path) -> None:
    """No header, no open path; the application may still tell. A comment that is not to be kept is in no file."""
    config = CONFIG + "[records]\ncontent = false\n"
    with running_gateway(tmp_path, config) as gateway:
        headers = ask(gateway)
        assert "x-headgate-feedback" not in headers
        assert call(gateway, "/feedback", {"token": "x"}, key=False)[0] == 404
        said = {"request": headers["x-request-id"], "thumbs": "up", "comment": "PLANTED-MARKER"}
        status, _, body = call(gateway, "/api/feedback", said)
        assert status == 200 and json.loads(body)["items"][0]["left_out"] == ["comment"]
        wait_joined(gateway, 1)
        missing = headgate(gateway, "feedback", "add", "req_0000000000001", "--thumbs", "up")
        assert missing.returncode == 1 and "no request" in missing.stderr
        wrong = headgate(gateway, "feedback", "add", headers["x-request-id"], "--number", "1")
        assert wrong.returncode == 2 and "`name`" in wrong.stderr
    for file in tmp_path.rglob("*"):
        assert not file.is_file() or b"PLANTED-MARKER" not in file.read_bytes(), file
