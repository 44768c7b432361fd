"""Signing in: by password and by key, for how long, how often one may try, and out again."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from headgate.control.keys import create_key, revoke_key, rotate_key
from headgate.control.people import add_person, change_person, set_password
from headgate.stores.keys import KeyRecord
from headgate.stores.people import Person
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.looking import Browser, Looked

__all__: list[str] = []

PASSWORD = "correct horse battery"
AWAY = ("10.0.0.9", "gate.example")


async def with_ann(clock: FakeClock | None = None, roles: tuple[str, ...] = ("operator",), **more) -> Looked:
    looked = Looked(clock=clock or FakeClock(), **more)
    draft = Person(id="", email="Ann@Example.com", roles=roles, created_ns=0)
    await add_person(
        looked.people, draft, password=PASSWORD, passwords=looked.signing.passwords, actor="test"
    )
    return looked


async def sign_in(browser: Browser, password: str = PASSWORD, email: str = "ann@example.com", **more):
    form = {"email": email, "password": password, **more}
    return await browser.post("/sign-in", form)


@aio
async def test_whoever_signs_in_is_led_where_they_wanted_and_known_by_a_cookie_that_scripts_cannot_read():
    """HttpOnly, SameSite, and Secure where the browser speaks TLS; what it says is kept nowhere."""
    looked = await with_ann()
    browser = Browser(looked, *AWAY)
    got = await sign_in(browser, next="/keys")
    assert got.status == 303 and got.header("location") == "/keys"
    said = got.header("set-cookie")
    assert "HttpOnly" in said and "SameSite=Lax" in said and "Secure" not in said
    assert (await browser.get("/keys")).status == 200
    stored = looked.people._logins
    assert len(stored) == 1 and browser.cookies["headgate"] not in str(stored)
    secure = await Browser(looked, *AWAY).post(
        "/sign-in", {"email": "ann@example.com", "password": PASSWORD}, x_forwarded_proto="https"
    )
    assert "; Secure" in secure.header("set-cookie")


@pytest.mark.parametrize(
    "place", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:x"]
)
@aio
async def test_the_way_back_never_leads_to_another_site(place):
    """A link to the sign-in may come from anybody."""
    browser = Browser(await with_ann(), *AWAY)
    assert (await sign_in(browser, next=place)).header("location") == "/"


@aio
async def test_a_wrong_password_an_unknown_address_and_a_disabled_account_look_the_same():
    """Nobody learns who there is."""
    looked = await with_ann()
    wrong = await sign_in(Browser(looked, *AWAY), "wrong horse battery")
    unknown = await sign_in(Browser(looked, *AWAY), email="eve@example.com")
    await change_person(looked.people, "ann@example.com", disabled=True, actor="test")
    disabled = await sign_in(Browser(looked, *AWAY))
    assert wrong.status == unknown.status == disabled.status == 401
    for got in (wrong, unknown, disabled):
        assert "the address or the password is wrong, or the account is disabled" in got.text
        assert got.header("set-cookie") == ""


@aio
async def test_who_guesses_has_to_wait_longer_and_longer():
    """Also with the right password, until the wait is over; from another address too, because the account is the same."""
    clock = FakeClock()
    looked = await with_ann(clock)
    for _ in range(5):
        assert (await sign_in(Browser(looked, *AWAY), "x" * 12)).status == 401
    late = await sign_in(Browser(looked, "10.0.0.10", "gate.example"))
    assert late.status == 429 and "the next one is possible in 2 s" in late.text
    clock.advance(2.1)
    assert (await sign_in(Browser(looked, *AWAY))).status == 303


@aio
async def test_a_sign_in_ends_when_it_is_not_used_and_in_any_case():
    """Both by the clock of the settings."""
    clock = FakeClock()
    looked = await with_ann(clock, limits=(3600.0, 10_000.0))
    idle, busy = Browser(looked, *AWAY), Browser(looked, *AWAY)
    await sign_in(idle)
    await sign_in(busy)
    for _ in range(3):
        clock.advance(3000)
        assert (await busy.get()).status == 200
    assert (await idle.get()).status == 303
    clock.advance(1100)
    assert (await busy.get()).status == 303


@aio
async def test_signing_out_takes_the_forms_token_and_everywhere_means_everywhere():
    """A foreign page cannot sign anybody out."""
    looked = await with_ann()
    first, second, third = (Browser(looked, *AWAY) for _ in range(3))
    for browser in (first, second, third):
        await sign_in(browser)
    cookie = first.cookies["headgate"]
    await first.post("/sign-out", {"csrf": "wrong"})
    first.cookies["headgate"] = cookie
    assert (await first.get()).status == 200
    await first.post("/sign-out", {"csrf": await first.csrf()})
    first.cookies["headgate"] = cookie
    assert (await first.get()).status == 303 and (await second.get()).status == 200
    await second.post("/sign-out", {"csrf": await second.csrf(), "everywhere": "yes"})
    assert (await third.get()).status == 303


@aio
async def test_what_is_changed_about_somebody_holds_at_once():
    """Other roles, another password, disabled: no browser has to be told."""
    looked = await with_ann()
    browser = Browser(looked, *AWAY)
    await sign_in(browser)
    await change_person(looked.people, "ann@example.com", roles=["viewer"], actor="test")
    assert (await browser.get("/keys")).status == 403
    await set_password(
        looked.people, "ann@example.com", "x" * 12, passwords=looked.signing.passwords, actor="test"
    )
    assert (await browser.get()).status == 303
    await sign_in(browser, "x" * 12)
    assert (await browser.get()).status == 200
    await change_person(looked.people, "ann@example.com", disabled=True, actor="test")
    assert (await browser.get()).status == 303


@aio
async def test_who_signed_in_with_a_key_is_in_as_long_as_that_key_is_valid():
    """Rotated away or revoked, it opens nothing any more."""
    looked = Looked()
    draft = KeyRecord(id="", name="ops", hash="", created_ns=0, roles=("operator",))

    async def know() -> None:
        looked.ring.know(await looked.keys.all(), await looked.keys.secret())

    _, key = await create_key(looked.keys, draft, actor="test")
    await know()
    browser = Browser(looked, *AWAY)
    assert (await browser.post("/sign-in", {"key": "hg_wrong"})).status == 401
    assert (await browser.post("/sign-in", {"key": key})).status == 303
    assert "ops" in (await browser.get("/keys")).text
    _, newer = await rotate_key(looked.keys, "ops", overlap_seconds=0, actor="test")
    await know()
    assert (await browser.get()).status == 303
    await browser.post("/sign-in", {"key": newer})
    await revoke_key(looked.keys, "ops", actor="test")
    await know()
    assert (await browser.get()).status == 303


@aio
async def test_a_form_of_another_site_signs_nobody_in():
    """Else somebody could be made to work in a stranger's account."""
    browser = Browser(await with_ann(), *AWAY)
    form = {"email": "ann@example.com", "password": PASSWORD}
    assert (await browser.post("/sign-in", form, origin="http://evil.example")).status == 403
    assert (await browser.post("/sign-in", form, sec_fetch_site="same-site")).status == 403
    assert browser.cookies == {}


@aio
async def test_somebody_without_a_role_that_sees_the_dashboard_is_told_so():
    """A service account has nothing to look at."""
    browser = Browser(await with_ann(roles=("service",)), *AWAY)
    got = await sign_in(browser)
    assert got.status == 401 and "none of your roles may see the dashboard" in got.text


@aio
async def test_the_first_person_is_made_with_an_owners_key_at_this_machine_and_only_once():
    """From elsewhere, with a lesser key, or when somebody is there, the command line has to be used."""
    looked = Looked()
    form = {"email": "ann@example.com", "password": PASSWORD}
    keys = {}
    for role in ("owner", "operator"):
        draft = KeyRecord(id="", name=role, hash="", created_ns=0, roles=(role,))
        _, keys[role] = await create_key(looked.keys, draft, actor="test")
    looked.ring.know(await looked.keys.all(), await looked.keys.secret())
    assert (await Browser(looked, *AWAY).post("/sign-in/first", {**form, "key": keys["owner"]})).status == 401
    assert (await Browser(looked).post("/sign-in/first", {**form, "key": keys["operator"]})).status == 401
    short = {"email": "ann@example.com", "password": "short", "key": keys["owner"]}
    refused = await Browser(looked).post("/sign-in/first", short)
    assert refused.status == 401 and "at least 12 characters" in refused.text
    browser = Browser(looked)
    assert (await browser.post("/sign-in/first", {**form, "key": keys["owner"]})).header("location") == "/"
    assert "ann@example.com" in (await browser.get()).text
    again = {**form, "email": "eve@example.com", "key": keys["owner"]}
    assert (await Browser(looked).post("/sign-in/first", again)).status == 401
    assert [person.email for person in await looked.people.all()] == ["ann@example.com"]
    entry = (await looked.audit.since(0, 10))[-1]
    assert entry.action == "person.create" and PASSWORD not in str(entry) and "argon2" not in str(entry)


@aio
async def test_an_owner_invites_changes_and_disables_people_on_the_page():
    """Each by the handler of /api: nobody is given more than the giver has, nobody changes themselves."""
    looked = await with_ann(roles=("operator",))
    browser = Browser(looked, *AWAY)
    await sign_in(browser)
    csrf = await browser.csrf("/keys")
    beyond = await browser.post("/people", {"csrf": csrf, "email": "bo@example.com", "roles": "owner"})
    assert beyond.status == 403 and "more rights than your own" in beyond.text
    made = await browser.post("/people", {"csrf": csrf, "email": "bo@example.com", "roles": "developer"})
    assert made.status == 200 and "shown this once" in made.text
    bo, ann = await looked.people.find("bo@example.com"), await looked.people.find("ann@example.com")
    assert bo is not None and ann is not None
    done = await browser.post(f"/people/{bo.id}", {"csrf": csrf, "roles": "viewer"})
    assert done.status == 303
    await browser.post(f"/people/{bo.id}", {"csrf": csrf, "disabled": "yes"})
    after = await looked.people.find("bo@example.com")
    assert after is not None and after.roles == ("viewer",) and after.disabled_ns is not None
    assert (await browser.post(f"/people/{ann.id}", {"csrf": csrf, "disabled": "yes"})).status == 409
    same = await looked.people.find(ann.id)
    assert same is not None and replace(same, seen_ns=ann.seen_ns) == ann
    actors = {entry.actor for entry in await looked.audit.since(0, 50) if entry.action != "person.create"}
    assert actors == {f"dashboard:{ann.id}"}


@aio
async def test_somebody_gives_themselves_another_password_and_only_this_browser_stays_signed_in():
    """Who knows the one of now, and says the new one twice; it stands in the audit log without its words."""
    looked = await with_ann()
    here, there = Browser(looked, *AWAY), Browser(looked, *AWAY)
    for each in (here, there):
        await sign_in(each)
    form = {"password": PASSWORD, "wanted": "a longer battery horse", "again": "a longer battery horse"}
    csrf = {"csrf": await here.csrf("/account")}
    assert "Another password" in (await here.get("/account")).text
    assert "not the same twice" in (await here.post("/account", form | csrf | {"again": "x" * 12})).text
    assert "is another one" in (await here.post("/account", form | csrf | {"password": "x" * 12})).text
    short = await here.post("/account", form | csrf | {"wanted": "short", "again": "short"})
    assert short.status == 422 and "at least 12 characters" in short.text
    assert (await here.post("/account", form)).status == 303 and (await there.get("/")).status == 200

    done = await here.post("/account", form | csrf)
    assert (done.status, done.header("location")) == (303, "/account")
    assert "The password is changed" in (await here.get("/account")).text
    assert (await there.get("/account")).header("location") == "/sign-in?next=/account"
    assert (await sign_in(there)).status == 401
    assert (await sign_in(there, "a longer battery horse")).status == 303
    entries = await looked.audit.before(2**62, 0, 10)
    assert entries[0].action == "person.password" and "battery" not in entries[0].after


@aio
async def test_tries_at_the_password_of_now_are_as_few_as_at_the_door():
    """A browser that somebody left open is no place to guess from."""
    looked = await with_ann()
    browser = Browser(looked, *AWAY)
    await sign_in(browser)
    form = {"csrf": await browser.csrf("/account"), "password": "no", "wanted": "y" * 12, "again": "y" * 12}
    statuses = [(await browser.post("/account", form)).status for _ in range(12)]
    assert statuses[0] == 422 and statuses[-1] == 429
