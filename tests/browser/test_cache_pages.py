"""What memory keeps, in a real Chromium: nothing yet, figures, one entry, told wrong, and cleared after a look at what would go."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import CONFIG, LOOKS, Walk, api, words
from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

CACHED = (
    CONFIG
    + """
[features.questions]
route = "small"
cache = { exact = "1h", scope = "feature" }
"""
)
OPEN, LIFT = "When is the shop open?", "Is there a lift?"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    """With nothing in it."""
    with running_gateway(tmp_path_factory.mktemp("cache"), CACHED) as started:
        yield started
        assert "Traceback" not in started.log, started.log


def ask(gateway: RunningGateway, text: str) -> None:
    body = {"model": "questions", "temperature": 0, "messages": [{"role": "user", "content": text}]}
    api(gateway, "POST", "/v1/chat/completions", body)


def until(true: Callable[[], object]) -> None:
    """Records are stored a moment after the last byte."""
    due = time.monotonic() + 20
    while not true():
        assert time.monotonic() < due
        time.sleep(0.05)


def text_of(page: Page) -> str:
    return " ".join((page.locator("main").text_content() or "").split())


def test_figures_an_entry_and_the_trace_of_a_hit_are_sound_in_every_look(
    gateway: RunningGateway, browser: Browser
) -> None:
    """Before anybody asked, and after: the rate, who was given what, from the hit to its origin and to the entry."""
    for look in LOOKS:
        walk = Walk(browser, gateway.url, look, gateway.key)
        with walk.page() as page:
            for path in ("/cache", "/cache/entries", "/cache/clear"):
                walk.visit(page, path)
        assert walk.wrong == [], words(walk.wrong)
    for _ in range(4):
        ask(gateway, OPEN)
    ask(gateway, LIFT)
    until(lambda: api(gateway, "GET", "/api/cache")["today"]["hits"] == 3)
    [hit, *_] = api(gateway, "GET", "/api/requests?cache=exact")["items"]
    for look in LOOKS:
        walk = Walk(browser, gateway.url, look, gateway.key)
        with walk.page() as page:
            walk.visit(page, "/cache")
            assert "60 %" in text_of(page) and "3 of 5 that memory was asked for" in text_of(page)
            target = page.get_by_role("link", name=OPEN).get_attribute("href") or ""
            walk.visit(page, target)
            assert "This answer is wrong" in text_of(page)
            walk.visit(page, "/cache/clear?feature=questions")
            walk.visit(page, f"/traces/{hit['id']}")
            page.get_by_role("link", name=hit["origin"]).first.click()
            page.wait_for_url(f"**/traces/{hit['origin']}")
            assert "3 times" in text_of(page), text_of(page)[:900]
        assert walk.wrong == [], words(walk.wrong)


def test_an_answer_that_is_told_wrong_goes_after_a_question(
    gateway: RunningGateway, browser: Browser
) -> None:
    """Whoever does not mean it, loses nothing."""
    walk = Walk(browser, gateway.url, LOOKS[0], gateway.key)
    ask(gateway, OPEN)
    with walk.page() as page:
        page.goto(f"{gateway.url}/cache/entries")
        page.get_by_role("link", name=OPEN).click()
        page.wait_for_load_state()
        page.get_by_role("button", name="This answer is wrong").click()
        page.get_by_role("button", name="Cancel").click()
        assert len(api(gateway, "GET", f"/api/cache/entries?text={OPEN[:4]}")["items"]) == 1
        page.get_by_role("button", name="This answer is wrong").click()
        page.get_by_role("button", name="Yes").click()
        page.wait_for_url("**/cache")
        assert "The answer is removed from all gateways." in (page.locator("body").text_content() or "")
        page.goto(f"{gateway.url}/cache/entries")
        assert page.get_by_role("link", name=OPEN).count() == 0
    assert walk.wrong == [], words(walk.wrong)


def test_answers_go_after_a_look_at_which(gateway: RunningGateway, browser: Browser) -> None:
    """First what would go, with nothing removed; then they go. It is said in words that fit one."""
    walk = Walk(browser, gateway.url, LOOKS[0], gateway.key)
    ask(gateway, LIFT)
    until(lambda: api(gateway, "GET", "/api/cache/entries?text=lift")["items"])
    with walk.page() as page:
        page.goto(f"{gateway.url}/cache/clear")
        page.get_by_label("Text").fill("lift")
        page.get_by_role("button", name="Show what would go").click()
        page.wait_for_load_state()
        assert "1 answer, " in text_of(page) and "Nothing is removed yet." in text_of(page)
        walk.check(page, "what would go")
        assert api(gateway, "GET", "/api/cache/entries?text=lift")["items"]
        page.get_by_role("button", name="Remove 1").click()
        assert page.locator("#confirm-words").text_content() == "Remove 1 answer from all gateways?"
        page.get_by_role("button", name="Yes").click()
        page.wait_for_url("**/cache")
        assert "1 answer is removed." in (page.locator("body").text_content() or "")
    assert not api(gateway, "GET", "/api/cache/entries?text=lift")["items"]
    assert walk.wrong == [], words(walk.wrong)
