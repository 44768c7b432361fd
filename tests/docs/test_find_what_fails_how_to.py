"""What docs/how-to/find-what-fails.md shows is what is printed."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from pathlib import Path

from tests.support.following import beside_a_gateway, how_to
from tests.support.gateway import RunningGateway
from tests.support.pages import blocks
from tests.support.raw_client import until

__all__: list[str] = []

PAGE = how_to("find-what-fails")


def ask(gateway: RunningGateway, feature: str, user: str) -> None:
    body = {"model": feature, "user": user, "messages": [{"role": "user", "content": "hello"}]}
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    url = f"{gateway.url}/v1/chat/completions"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)
    with contextlib.suppress(urllib.error.HTTPError), urllib.request.urlopen(request, timeout=20) as reply:
        reply.read()


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """Two users of one feature meet a provider that is down."""
    assert len(blocks(PAGE, "toml")) == 1
    with beside_a_gateway(PAGE, tmp_path) as (gateway, reader):
        for user, feature in (("ann", "summaries"), ("bob", "summaries"), ("ann", "support-chat")):
            ask(gateway, feature, user)
        assert until(lambda: "  2      2" in reader.run("headgate errors"), seconds=15)
        for block in blocks(PAGE, "console"):
            reader.do(block)
