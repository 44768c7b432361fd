"""The page an operator sees, in a real Chromium, light and dark, wide and narrow."""

from __future__ import annotations

import json
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.support.gateway import RunningGateway, running_gateway

pytestmark = pytest.mark.needs("chromium")

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0

[models.large]
endpoints = [{ provider = "sim", model = "sim-large" }]

[features.support-chat]
route = "large"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("page"), CONFIG) as started:
        yield started


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(
        path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))
    )
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=str(Path(program)), args=flags)
        yield started
        started.close()


def _ask(gateway: RunningGateway, user: str) -> str:
    body = {
        "model": "support-chat",
        "user": user,
        "messages": [{"role": "user", "content": "What is 17 * 23?"}],
    }
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        data=json.dumps(body).encode(),
        headers={"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return str(reply.headers["x-request-id"])


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_shows_how_to_call_and_what_was_called(
    gateway: RunningGateway, browser: Browser, scheme: str, width: int
) -> None:
    """The first call is there to copy, the last request is listed, nothing is logged as an error, and on a phone
    nobody has to scroll the page sideways."""
    request_id = _ask(gateway, "anna")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page = context.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(gateway.url)
    page.get_by_text(request_id).first.wait_for(
        timeout=15_000
    )  # the page renews itself until the record is stored

    assert "/v1/chat/completions" in page.content()
    assert page.get_by_text("support-chat").count() > 0
    assert "17 * 23" not in page.content()  # no prompt is shown
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    # A favicon is asked for by the browser itself and is not there.
    assert [text for text in complaints if "favicon" not in text and "404" not in text] == []
    context.close()
