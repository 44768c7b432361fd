"""Every page of the dashboard in a real Chromium: light, dark, and as wide as a phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import LOOKS, Look, Walk, patterns, words
from tests.support.gateway import RunningGateway

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: look.name)
def test_every_page_is_sound(gateway: RunningGateway, browser: Browser, look: Look, tmp_path: Path) -> None:
    """No error on the console, nothing refused by the policy, no sideways scrolling, nothing that axe objects to."""
    walk = Walk(browser, gateway.url, look, gateway.key, tmp_path)
    walk.all()
    assert len(walk.seen) >= len([path for path in patterns() if "{" not in path])
    assert walk.wrong == [], words(walk.wrong)


def test_the_sign_in_is_sound(gateway: RunningGateway, browser: Browser) -> None:
    """Also where somebody is nobody yet."""
    for look in LOOKS:
        walk = Walk(browser, gateway.url, look)
        with walk.page() as page:
            walk.visit(page, "/sign-in")
        assert walk.wrong == [], words(walk.wrong)


def test_the_navigation_works_by_keyboard(gateway: RunningGateway, browser: Browser) -> None:
    """Tab reaches the link past the navigation first, then each page; Enter opens it."""
    walk = Walk(browser, gateway.url, LOOKS[0], gateway.key)
    with walk.page() as page:
        page.goto(gateway.url)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == "#main"
        names = page.eval_on_selector_all("nav a", "all => all.map(a => a.textContent)")
        page.goto(gateway.url)
        reached = []
        for _ in range(len(names) + 3):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert [name for name in reached if name in names] == names
        page.locator("nav a").last.focus()
        page.keyboard.press("Enter")
        page.wait_for_load_state()
        assert page.locator("nav a[aria-current]").text_content() == names[-1]


def test_the_colours_that_were_chosen_stay(gateway: RunningGateway, browser: Browser) -> None:
    """The switch goes from the system's to light to dark, and the next page remembers."""
    walk = Walk(browser, gateway.url, LOOKS[0], gateway.key)
    with walk.page() as page:
        page.goto(gateway.url)
        for wanted in ("light", "dark"):
            page.locator("[data-theme-switch]").click()
            assert page.evaluate("document.documentElement.dataset.theme") == wanted
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.locator("[data-theme-switch]").click()
        assert page.evaluate("document.documentElement.dataset.theme === undefined")
    assert walk.wrong == [], words(walk.wrong)
