"""What strangers try at the doors: each was possible once, or nearly."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from headgate.control.people import add_person, change_person
from headgate.dashboard.oidc import Oidc
from headgate.dashboard.pages import ALL
from headgate.stores.people import Person
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.looking import Browser, Looked
from tests.unit.dashboard.test_oidc import ISSUER, SETTINGS, Provider

__all__: list[str] = []

PASSWORD = "correct horse battery"
AWAY = ("10.0.0.9", "gate.example")


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


async def through(
    key: RSAPrivateKey, *, looked: Looked | None = None, after: str = "/", **claims: Any
) -> tuple[Looked, Browser, Any]:
    """Somebody goes to the provider and comes back with these claims."""
    provider = Provider(key)
    looked = looked or Looked(
        oidc=Oidc(SETTINGS, provider),  # type: ignore[arg-type]
        address="http://gate.example",
    )
    browser = Browser(looked, *AWAY)
    left = await browser.get(f"/sign-in/oidc?next={quote(after, safe='')}")
    asked = parse_qs(urlsplit(left.header("location")).query)
    now = int(time.time())
    given = {
        "iss": ISSUER,
        "aud": "headgate",
        "sub": "ann-1",
        "exp": now + 60,
        "iat": now,
        "nonce": asked["nonce"][0],
        "email": "ann@example.com",
        "email_verified": True,
        "realm": {"groups": ["boss"]},
    } | claims
    PROVIDERS.get(id(looked), provider).claims = {n: v for n, v in given.items() if v is not None}
    PROVIDERS.setdefault(id(looked), provider)
    return looked, browser, await browser.get(f"/sign-in/oidc/callback?code=c&state={asked['state'][0]}")


PROVIDERS: dict[int, Provider] = {}


@pytest.mark.parametrize(
    "place", ["/\t/evil.example", "/\n/evil.example", "//evil.example", "/x\r\nset-cookie: a=b"]
)
@aio
async def test_the_way_back_from_the_provider_stays_here_too(key, place):
    """Browsers pass over tabs and line ends in addresses, and a line end would begin a header of its own."""
    _, _, back = await through(key, after=place)
    assert back.status == 200
    assert back.header("refresh") == "0; url=/"
    assert "evil" not in back.text and not any(b"\n" in value or b"\r" in value for _, value in back.headers)


@pytest.mark.parametrize("said", ["false", "", 0, False])
@aio
async def test_an_address_that_the_provider_does_not_vouch_for_is_refused_however_it_says_so(key, said):
    """Some say so in words."""
    looked, _, back = await through(key, email_verified=said)
    assert back.status == 401
    assert list(await looked.people.all()) == []


@aio
async def test_an_account_is_not_handed_over_by_an_address_that_nobody_has_proven(key):
    """At some providers everybody writes their own address: whoever writes the owner's is not the owner."""
    looked, _, _ = await through(key, email="eve@example.com", sub="eve", email_verified=True)
    owner = Person(id="", email="ann@example.com", roles=("owner",), created_ns=0)
    await add_person(
        looked.people, owner, password=PASSWORD, passwords=looked.signing.passwords, actor="test"
    )
    _, browser, back = await through(key, looked=looked, sub="mallory", email_verified=None)
    assert back.status == 401 and "headgate" not in browser.cookies
    ann = await looked.people.find("ann@example.com")
    assert ann is not None and ann.identity == ""
    _, _, back = await through(key, looked=looked, email_verified=True)
    assert back.status == 200


@aio
async def test_who_lost_all_words_at_the_provider_loses_the_roles_they_gave(key):
    """Those that were given here hold on."""
    looked, _, back = await through(key)
    assert back.status == 200
    _, _, back = await through(key, looked=looked, realm={"groups": []})
    assert back.status == 401 and "has no role here any more" in back.text
    await change_person(looked.people, "ann@example.com", roles=["reviewer"], actor="test")
    _, _, back = await through(key, looked=looked, realm={"groups": []})
    assert back.status == 200
    ann = await looked.people.find("ann@example.com")
    assert ann is not None and ann.roles == ("reviewer",)


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "null", "http://gate.example.evil"])
@aio
async def test_an_origin_that_is_none_is_another_site(origin):
    """It is refused in words; nothing fails."""
    looked = Looked()
    got = await Browser(looked, *AWAY).post("/sign-in", {"key": "operator"}, origin=origin)
    assert got.status == 403
    inside = Browser(looked, *AWAY, headers={"x-api-key": "operator"})
    form = {"csrf": await inside.csrf("/keys"), "name": "k"}
    assert (await inside.post("/keys", form, origin=origin)).status == 403


async def tried(browser: Browser, email: str, password: str = "x" * 12, **headers: str) -> int:
    got = await browser.post("/sign-in", {"email": email, "password": password}, **headers)
    return got.status


@aio
async def test_one_guesser_behind_a_proxy_does_not_have_everybody_wait():
    """The proxy says for whom it asks; what the guesser says before it counts for nothing."""
    looked = await with_people("ann@example.com")
    proxy = Browser(looked, "127.0.0.1", "gate.example")
    for number in range(5):
        forged = f"10.9.9.{number}, 198.51.100.7"
        assert await tried(proxy, f"guess{number}@example.com", x_forwarded_for=forged) == 401
    assert await tried(proxy, "guess@example.com", x_forwarded_for="198.51.100.7") == 429
    assert await tried(proxy, "ann@example.com", PASSWORD, x_forwarded_for="203.0.113.5") == 303


@aio
async def test_who_asks_from_elsewhere_cannot_choose_an_address():
    """Nor by having a whole network of IPv6."""
    for clients, forged in (
        (["8.8.8.8"] * 6, True),
        ([f"2001:db8:1:2::{number}" for number in range(6)], False),
    ):
        looked = await with_people("ann@example.com")
        said = []
        for number, client in enumerate(clients):
            more = {"x_forwarded_for": f"192.0.2.{number}"} if forged else {}
            said.append(
                await tried(Browser(looked, client, "gate.example"), f"g{number}@example.com", **more)
            )
        assert said == [401] * 5 + [429]


@aio
async def test_an_account_of_ones_own_does_not_buy_more_tries_at_others():
    """A right password makes the wrong ones of the same address no better; one's own are forgiven."""
    looked = await with_people("eve@example.com", *(f"p{number}@example.com" for number in range(4)))
    browser = Browser(looked, *AWAY)
    for number in range(4):
        assert await tried(browser, f"p{number}@example.com") == 401
        assert await tried(browser, "eve@example.com", PASSWORD) == 303
    assert await tried(browser, "p0@example.com") == 401
    assert await tried(browser, "p1@example.com") == 429
    other = Browser(looked, "10.0.0.10", "gate.example")
    for _ in range(3):
        assert await tried(other, "eve@example.com") == 401
    assert await tried(other, "eve@example.com", PASSWORD) == 303


async def with_people(*emails: str) -> Looked:
    looked = Looked(clock=FakeClock())
    for email in emails:
        draft = Person(id="", email=email, roles=("viewer",), created_ns=0)
        await add_person(
            looked.people, draft, password=PASSWORD, passwords=looked.signing.passwords, actor="test"
        )
    return looked


@pytest.mark.parametrize("path", sorted({each.path for each in ALL if each.method == "POST"}))
@aio
async def test_every_form_wants_its_own_token_and_its_own_site(path):
    """Whoever is signed in, by cookie or by Basic, which browsers send by themselves; an owner's right is no excuse."""
    looked = await with_people()
    draft = Person(id="", email="ann@example.com", roles=("owner",), created_ns=0)
    await add_person(
        looked.people, draft, password=PASSWORD, passwords=looked.signing.passwords, actor="test"
    )
    target = path.replace("{id}", "req_0akxawchd4400").replace("{name}", "x")
    person = Browser(looked, *AWAY)
    await tried(person, "ann@example.com", PASSWORD)
    basic = Browser(looked, *AWAY, headers={"authorization": "Basic Om93bmVy"})
    before = len(await looked.audit.since(0, 100))
    for browser in (person, basic):
        token = await browser.csrf("/keys")
        assert len(token) == 32
        form = {
            "email": "eve@example.com",
            "name": "eve",
            "roles": "viewer",
            "metric": "requests",
            "alert": "1",
        }
        for wrong in ("", "0" * 32, token[:-1], token.upper() + "x"):
            assert (await browser.post(target, {**form, "csrf": wrong})).status == 403
        assert (
            await browser.post(target, {**form, "csrf": token}, origin="http://evil.example")
        ).status == 403
        assert (
            await browser.post(target, {**form, "csrf": token}, origin="", sec_fetch_site="cross-site")
        ).status == 403
    # One's token is no other's.
    assert (await person.post(target, {"csrf": await basic.csrf("/keys")})).status == 403
    assert len(await looked.audit.since(0, 100)) == before
