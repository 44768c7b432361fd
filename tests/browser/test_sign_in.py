"""Signing in and out in a real Chromium: the first owner, a password, a key, and an identity provider nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.support.browser import CONFIG, LOOKS, Walk, words
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.identity_provider import identity_provider

__all__: list[str] = []

pytestmark = [pytest.mark.needs("chromium"), pytest.mark.timeout(300)]

PASSWORD = "correct horse battery"
PEOPLE: dict[str, dict[str, object]] = {
    "dev-1": {"email": "Dev@Example.com", "email_verified": True, "name": "Dev", "groups": ["ai", "canteen"]},
    "nobody-1": {"email": "nobody@example.com", "groups": ["canteen"]},
    "thief-1": {"email": "ann@example.com", "email_verified": False, "groups": ["ai"]},
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    directory = tmp_path_factory.mktemp("sign-in")
    with identity_provider(directory, PEOPLE) as issuer:
        config = f"""{CONFIG}
[dashboard]
local = false

[dashboard.oidc]
issuer = "{issuer}"
client_id = "headgate"
client_secret = "s3cret"
name = "Example Inc."
roles_claim = "groups"
roles = {{ ai = "developer" }}
"""
        with running_gateway(directory, config) as started:
            yield started
            assert "Traceback" not in started.log, started.log


def sign_in(page: Page, gateway: RunningGateway, email: str, password: str) -> None:
    page.goto(f"{gateway.url}/sign-in")
    form = page.locator("form[action='/sign-in']").first
    form.get_by_label("E-mail").fill(email)
    form.get_by_label("Password").fill(password)
    form.get_by_role("button").click()
    page.wait_for_load_state()


def test_the_first_owner_is_made_signs_in_and_out(gateway: RunningGateway, browser: Browser) -> None:
    """With the owner's key, from this machine; afterwards that form is gone, and a wrong password is refused in words."""
    walk = Walk(browser, gateway.url, LOOKS[0])
    with walk.page() as page:
        page.goto(f"{gateway.url}/keys?state=all")
        assert page.url == f"{gateway.url}/sign-in?next=%2Fkeys%3Fstate%3Dall"
        page.get_by_text("Make the first one").click()
        form = page.locator("form[action='/sign-in/first']")
        form.get_by_label("Owner's key").fill(gateway.key)
        form.get_by_label("Your e-mail").fill("Ann@Example.com")
        form.get_by_label("A password").fill(PASSWORD)
        form.get_by_role("button").click()
        page.wait_for_url(f"{gateway.url}/")
        assert "ann@example.com" in page.locator(".who").inner_text()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/sign-in")
        assert page.locator("form[action='/sign-in/first']").count() == 0
        page.goto(f"{gateway.url}/settings")
        assert "/sign-in?next=" in page.url
        assert walk.wrong == [], words(walk.wrong)

        sign_in(page, gateway, "ann@example.com", "wrong horse battery")
        assert "the address or the password is wrong" in page.locator("[role=alert]").inner_text()
        sign_in(page, gateway, "ann@example.com", PASSWORD)
        assert page.url == f"{gateway.url}/"


def test_somebody_changes_their_password_and_signs_out_everywhere(
    gateway: RunningGateway, browser: Browser
) -> None:
    """On a page of their own, in every look; the way there is their name."""
    for look in LOOKS:
        walk = Walk(browser, gateway.url, look)
        with walk.page() as page:
            sign_in(page, gateway, "ann@example.com", PASSWORD)
            walk.visit(page, "/account")
            assert "Signed in as" in page.content()
        assert walk.wrong == [], words(walk.wrong)
    walk = Walk(browser, gateway.url, LOOKS[0])
    with walk.page() as page:
        sign_in(page, gateway, "ann@example.com", PASSWORD)
        page.locator(".who a", has_text="ann@example.com").click()
        page.wait_for_url(f"{gateway.url}/account")
        page.get_by_label("The password now").fill(PASSWORD)
        for label in ("The new one, 12 characters", "The new one again"):
            page.get_by_label(label).fill(PASSWORD)
        page.get_by_role("button", name="Change it").click()
        page.get_by_text("The password is changed.").wait_for()
        page.get_by_role("button", name="Sign out everywhere").click()
        page.get_by_role("button", name="Yes").click()
        page.wait_for_url("**/sign-in")
    assert walk.wrong == [], words(walk.wrong)


def test_an_owner_makes_a_key_and_revokes_it_after_being_asked(
    gateway: RunningGateway, browser: Browser
) -> None:
    """The key is shown once; the dialog's Cancel changes nothing."""
    walk = Walk(browser, gateway.url, LOOKS[0])
    with walk.page() as page:
        sign_in(page, gateway, "ann@example.com", PASSWORD)
        page.goto(f"{gateway.url}/keys")
        page.get_by_label("Name").first.fill("shop")
        page.get_by_role("button", name="Make the key").click()
        page.wait_for_load_state()
        key = page.locator(".copy code").inner_text()
        assert key.startswith("hg_")
        page.get_by_text("Back to the keys").click()
        row = page.locator("tr", has_text="shop")
        row.get_by_role("button", name="Revoke").click()
        page.get_by_role("button", name="Cancel").click()
        assert row.count() == 1
        row.get_by_role("button", name="Revoke").click()
        page.get_by_role("button", name="Yes").click()
        page.get_by_text("The key shop is revoked.").wait_for()
        assert key not in page.content()
        page.goto(f"{gateway.url}/audit")
        assert "key.revoke" in page.content() and "dashboard:person_" in page.content()
    assert walk.wrong == [], words(walk.wrong)


def test_people_of_an_identity_provider_come_in_with_the_roles_their_words_mean(
    gateway: RunningGateway, browser: Browser
) -> None:
    """Whoever has no such word, or an address that was not proven, stays outside."""
    walk = Walk(browser, gateway.url, LOOKS[0])
    with walk.page() as page:
        page.goto(f"{gateway.url}/settings")
        page.get_by_text("Sign in with Example Inc.").click()
        page.get_by_role("button", name="dev-1").click()
        page.wait_for_url(f"{gateway.url}/settings")
        # What the provider's own page wants from elsewhere is not our affair.
        walk.wrong.clear()
        page.reload()
        assert "developer" in page.locator(".who").inner_text()
        assert page.locator("nav").get_by_text("Keys and people").count() == 0
        assert walk.wrong == [], words(walk.wrong)
    for subject, said in (("nobody-1", "has no role here"), ("thief-1", "no proven e-mail address")):
        with walk.page() as page:
            page.goto(f"{gateway.url}/sign-in/oidc")
            page.get_by_role("button", name=subject).click()
            page.wait_for_load_state()
            assert said in page.locator("[role=alert]").inner_text()
            page.goto(gateway.url)
            assert "/sign-in" in page.url


def test_a_key_opens_the_dashboard_too(gateway: RunningGateway, browser: Browser) -> None:
    """For who has no account yet."""
    walk = Walk(browser, gateway.url, LOOKS[0])
    with walk.page() as page:
        page.goto(f"{gateway.url}/sign-in?next=/settings")
        page.get_by_label("Headgate key").fill(gateway.key)
        page.get_by_role("button", name="Sign in with the key").click()
        page.wait_for_url(f"{gateway.url}/settings")
        assert "owner" in page.locator(".who").inner_text()
    assert walk.wrong == [], words(walk.wrong)
