"""An empty installation in a real Chromium: it shows how to make the first call, and opens it when it arrives. And plots lead on."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import CONFIG, LOOKS, Walk, fill, words
from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

NODE = Path(__file__).parents[1] / "node"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """With nothing in it."""
    with running_gateway(tmp_path_factory.mktemp("empty"), CONFIG) as started:
        yield started
        assert "Traceback" not in started.log, started.log


def test_the_first_call_is_shown_to_copy_works_and_is_opened_when_it_arrives(
    gateway: RunningGateway, browser: Browser
) -> None:
    """What stands there is run as it stands; the page that waited lands on the trace by itself, light, dark, wide and narrow."""
    for look in LOOKS:
        walk = Walk(browser, gateway.url, look)
        with walk.page() as page:
            walk.visit(page, "/")
            assert "Nothing has been asked yet" in page.content()
        assert walk.wrong == [], words(walk.wrong)
    walk = Walk(browser, gateway.url, LOOKS[0])
    with walk.page() as page:
        page.goto(gateway.url)
        program = page.locator(".copy code", has_text="from openai import OpenAI").inner_text()
        assert gateway.url in program
        done = subprocess.run(
            [sys.executable, "-c", program],
            env={"HEADGATE_KEY": gateway.key, "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0 and done.stdout.strip(), done.stderr
        page.wait_for_url(re.compile(r"/traces/req_\w+$"), timeout=20_000)
        assert "support-chat" in page.content()
    assert walk.wrong == [], words(walk.wrong)


@pytest.mark.needs("node")
def test_the_calls_for_curl_and_node_work_as_they_stand(
    tmp_path_factory: pytest.TempPathFactory, browser: Browser, tmp_path: Path
) -> None:
    """In an installation of their own, where nothing has been asked yet."""
    with running_gateway(tmp_path_factory.mktemp("other"), CONFIG) as fresh:
        walk = Walk(browser, fresh.url, LOOKS[0])
        with walk.page() as page:
            page.goto(fresh.url)
            curl = page.locator(".copy code", has_text="curl ").inner_text()
            node = page.locator(".copy code", has_text='import OpenAI from "openai"').inner_text()
        (tmp_path / "node_modules").symlink_to(NODE / "node_modules")
        (tmp_path / "call.mjs").write_text(node)
        environment = {"HEADGATE_KEY": fresh.key, "PATH": os.environ["PATH"]}
        for command in (["sh", "-c", curl], ["node", "call.mjs"]):
            done = subprocess.run(
                command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
            )
            assert done.returncode == 0 and "Hello" in done.stdout, (command, done.stdout, done.stderr)
    assert walk.wrong == [], words(walk.wrong)


def test_a_point_of_a_plot_opens_the_requests_behind_it_by_mouse_and_by_keyboard(
    gateway: RunningGateway, browser: Browser
) -> None:
    """Arrow keys move and tell, Enter opens; the numbers stand in a table; a line can be switched off."""
    fill(gateway, 4)
    walk = Walk(browser, gateway.url, LOOKS[0], gateway.key)
    with walk.page() as page:
        page.goto(f"{gateway.url}/?range=1h")
        figure = page.locator(".panel figure.plot[data-plot*='/requests']")
        figure.locator(".drawing").wait_for()
        figure.locator(".drawing").focus()
        page.keyboard.press("End")
        assert "answered:" in figure.locator(".tip").inner_text()
        button = figure.get_by_role("button", name="refused")
        button.click()
        assert button.get_attribute("aria-pressed") == "false"
        figure.locator("summary").click()
        figure.locator("tbody tr").nth(59).wait_for()
        figure.locator(".drawing").focus()
        page.keyboard.press("End")
        page.keyboard.press("Enter")
        page.wait_for_url(re.compile(r"/traces\?from=\d+&to=\d+"))
        page.goto(f"{gateway.url}/?range=1h")
        over = page.locator(".panel figure.plot[data-plot*='/requests'] .u-over")
        over.wait_for()
        over.scroll_into_view_if_needed()
        over.click(position={"x": 20, "y": 40})
        page.wait_for_url(re.compile(r"/traces\?from=\d+&to=\d+"))
    assert walk.wrong == [], words(walk.wrong)
