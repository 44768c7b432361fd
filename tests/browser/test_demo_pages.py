"""Every page over what `headgate demo` shows: days of history, a minute of traffic, something that got worse."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.error import HTTPError

import pytest
from playwright.sync_api import Browser

from tests.support.browser import LOOKS, Look, Walk, patterns, words
from tests.support.demonstration import Demo, demo, until
from tests.support.gateway import KEY

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(400)]


@pytest.fixture(scope="module")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demonstration") / "demo"
    plant = ("--plant", "dearer-route", "--plant-after", "3s")
    with demo(folder, "--seconds", "15", "--history", "2d", *plant) as started:
        until(lambda: b"Ctrl-C" in started.said.read_bytes(), 240, started.said)
        yield started
        assert "Traceback" not in started.said.read_text()


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_every_page_of_the_demonstration_is_sound(
    demonstration: Demo, browser: Browser, look: Look, tmp_path: Path
) -> None:
    """No error on the console, no sideways scrolling, nothing that axe objects to; and no page without a link that leads to it."""
    walk = Walk(browser, demonstration.url, look, KEY, tmp_path)
    walk.all()
    assert len(walk.seen) >= len([path for path in patterns() if "{" not in path])
    assert walk.wrong == [], words(walk.wrong)


def test_the_first_page_says_what_got_worse(demonstration: Demo, browser: Browser) -> None:
    """The rule and the contract that is at risk stand on it, and lead on."""
    walk = Walk(browser, demonstration.url, LOOKS[0], KEY)
    with walk.page() as page:
        page.goto(demonstration.url)
        assert "support-chat-dear" in (page.locator("main").text_content() or "")
        page.get_by_role("link", name="support-chat-dear").first.click()
        page.wait_for_load_state()
        assert "/alerts" in page.url and "support-chat-dear" in (page.locator("main").text_content() or "")


def test_a_conversation_is_read_turn_by_turn(demonstration: Demo, browser: Browser) -> None:
    """From the list to what was said, in every look; what is asked and answered stands there."""
    for look in LOOKS:
        walk = Walk(browser, demonstration.url, look, KEY)
        with walk.page() as page:
            page.goto(f"{demonstration.url}/sessions")
            walk.visit(page, page.locator("main tbody a").first.get_attribute("href") or "")
            assert len(page.locator("main").text_content() or "") > 200
        assert walk.wrong == [], words(walk.wrong)


def test_no_link_leads_nowhere(demonstration: Demo) -> None:
    """Whatever a page offers is there: each kind of link a few times, from the first page on."""
    todo, seen, kinds, dead = ["/"], {"/"}, Counter[str](), []
    while todo:
        target = todo.pop(0)
        try:
            page = demonstration.get(target).decode(errors="replace")
        except HTTPError as refused:
            dead.append(f"{target}: {refused.code}")
            continue
        for link in re.findall(r"<a [^>]*href=\"(/[^\"#]*)", page):
            link = unescape(link)
            # Requests and conversations are many of a kind; what is asked for by name matters, not each value.
            kind = re.sub(r"=[^&]*|req_\w+", "", link)
            if link not in seen and kinds[kind] < 3:
                kinds[kind] += 1
                seen.add(link)
                todo.append(link)
    assert dead == []
    assert len(kinds) > 12
