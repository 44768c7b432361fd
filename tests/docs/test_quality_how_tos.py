"""What the how-tos on feedback and quality promise: their commands print what is shown."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from tests.support.following import beside_a_gateway, how_to
from tests.support.gateway import RunningGateway
from tests.support.pages import blocks, steps

__all__: list[str] = []

FEEDBACK = how_to("collect-feedback")


def call(gateway: RunningGateway, path: str, body: object = None) -> tuple[dict[str, str], bytes]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(gateway.url + path, data, {"authorization": f"Bearer {gateway.key}"})
    if data:
        request.add_header("content-type", "application/json")
    with urllib.request.urlopen(request, timeout=10) as reply:
        return dict(reply.headers.items()), reply.read()


def wait_joined(gateway: RunningGateway, count: int) -> None:
    due = time.monotonic() + 20
    while True:
        found = json.loads(call(gateway, "/api/feedback")[1])["items"]
        if len(found) == count and all(each["joined"] for each in found):
            return
        assert time.monotonic() < due, found
        time.sleep(0.1)


def test_feedback_can_be_collected_as_the_page_says(tmp_path: Path) -> None:
    """From top to bottom, with the configuration it begins with."""
    assert len(blocks(FEEDBACK, "toml")) == 1
    *telling, listing = blocks(FEEDBACK, "console")
    with beside_a_gateway(FEEDBACK, tmp_path) as (gateway, reader):
        for block in telling:
            reader.do(block)
        # The page's reader types slower than this one.
        wait_joined(gateway, 3)
        reader.do(listing)


def test_quality_is_told_as_the_page_says(tmp_path: Path) -> None:
    """Of twenty thumbs and ten ratings."""
    (told,) = blocks(how_to("watch-quality"), "console")
    with beside_a_gateway(FEEDBACK, tmp_path) as (gateway, _):
        said = []
        for number in range(20):
            ask = {"model": "support-chat", "messages": [{"role": "user", "content": "Hello"}]}
            headers, _ = call(gateway, "/v1/chat/completions", ask)
            judged = {"request": headers["x-request-id"], "thumbs": "up" if number % 4 else "down"}
            said.append(judged | ({"rating": 2 + number % 4} if number < 10 else {}))
        call(gateway, "/api/feedback", {"items": said})
        wait_joined(gateway, 30)
        ((command, shown),) = steps(told)
        ran = subprocess.run(
            [sys.executable, "-m", *command.split()], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
    assert ran.returncode == 0, ran.stderr
    printed = [line.split() for line in ran.stdout.splitlines()]
    assert [line.split()[:3] for line in shown][:2] == [line[:3] for line in printed][:2]
    assert printed[1] == shown[1].split() and printed[2][-1] == shown[2].split()[-1]
