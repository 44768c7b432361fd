"""Signing in elsewhere: what is believed of an answer, and what is not. The real provider is asked in tests/browser."""

from __future__ import annotations

import json
import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

from headgate.control.signing import NotSignedIn
from headgate.dashboard.oidc import Oidc, Sent
from headgate.dashboard.settings import OidcSettings
from tests.support.aio import aio
from tests.support.looking import Browser, Looked

__all__: list[str] = []

ISSUER = "https://login.example.com/realm"
BACK = "http://gate.example/sign-in/oidc/callback"
SETTINGS = OidcSettings(
    issuer=ISSUER,
    client_id="headgate",
    client_secret="s:cret",
    roles_claim="realm.groups",
    roles={"ai": "developer", "boss": "owner"},
)


@pytest.fixture(scope="module")
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


class Reply:
    """One answer of the provider."""

    def __init__(self, status: int, value: Any) -> None:
        self.status = status
        self._body = json.dumps(value).encode()

    async def read(self, limit: int) -> bytes:
        return self._body

    def close(self) -> None:
        pass


class Provider:
    """What the provider's addresses say; `claims` become the ID token."""

    def __init__(self, key: RSAPrivateKey) -> None:
        self.key = key
        self.claims: dict[str, Any] = {}
        self.signed_with: RSAPrivateKey | str = key
        self.algorithm = "RS256"
        self.description: dict[str, Any] = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth?tenant=1",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
        }
        self.asked: list[Any] = []
        self.status = 200

    async def send(self, request: Any, timeouts: Any) -> Any:
        self.asked.append(request)
        path = request.url.target.decode() if isinstance(request.url.target, bytes) else request.url.target
        if "openid-configuration" in path:
            return Reply(200, self.description)
        if path.endswith("/keys"):
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
            return Reply(200, {"keys": [{**public, "kid": "k1", "use": "sig"}]})
        token = jwt.encode(self.claims, self.signed_with, algorithm=self.algorithm, headers={"kid": "k1"})
        return Reply(self.status, {"id_token": token, "access_token": "x"})


async def away(key: RSAPrivateKey) -> tuple[Provider, Oidc, Sent]:
    """Somebody has been sent to the provider, which is about to let Ann in."""
    provider = Provider(key)
    oidc = Oidc(SETTINGS, provider)  # type: ignore[arg-type]
    _, sent = await oidc.leave(BACK, "/traces")
    now = int(time.time())
    provider.claims = {
        "iss": ISSUER,
        "aud": "headgate",
        "sub": "ann-1",
        "exp": now + 60,
        "iat": now,
        "nonce": sent.nonce,
        "email": "Ann@Example.com",
        "email_verified": True,
        "name": "Ann\x00",
        "realm": {"groups": ["ai", "canteen"]},
    }
    return provider, oidc, sent


@aio
async def test_the_browser_is_sent_away_with_state_nonce_and_a_challenge_that_differ_each_time(key):
    """The verifier itself stays here; the provider's own parameters stay too."""
    provider, oidc, first = await away(key)
    place, second = await oidc.leave(BACK, "/")
    asked = parse_qs(urlsplit(place).query)
    assert (
        asked["tenant"] == ["1"]
        and asked["redirect_uri"] == [BACK]
        and asked["scope"] == ["openid email profile"]
    )
    assert asked["code_challenge_method"] == ["S256"] and second.verifier not in place
    assert len({first.state, second.state, first.nonce, second.nonce, first.verifier, second.verifier}) == 6
    assert len(provider.asked) == 1


@aio
async def test_a_good_answer_tells_who_it_is_and_what_their_words_mean_here(key):
    """The code is redeemed with our secret and the verifier; the address is in small letters."""
    provider, oidc, sent = await away(key)
    who = await oidc.come_back({"state": sent.state, "code": "c0de", "iss": ISSUER}, sent, BACK)
    assert (who.subject, who.email, who.name, who.roles) == (
        "ann-1",
        "ann@example.com",
        "Ann",
        ("developer",),
    )
    [redeemed] = [each for each in provider.asked if each.method == "POST"]
    form = dict(parse_qsl(redeemed.body.decode()))
    assert form["code_verifier"] == sent.verifier and form["code"] == "c0de" and "client_secret" not in form
    # Both are percent-encoded first: RFC 6749, section 2.3.1.
    assert dict(redeemed.headers)[b"authorization"] == b"Basic aGVhZGdhdGU6cyUzQWNyZXQ="


@pytest.mark.parametrize(
    "change",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody-else"},
        {"aud": ["headgate", "other"], "azp": "other"},
        {"iss": "https://evil.example"},
        {"exp": 1},
        {"sub": None},
        {"email": ""},
        {"email_verified": False},
    ],
    ids=str,
)
@aio
async def test_a_token_that_is_not_exactly_for_this_is_refused(key, change):
    """Of another sign-in, for another client, by another issuer, too old, for nobody, without a proven address."""
    provider, oidc, sent = await away(key)
    provider.claims.update(change)
    provider.claims = {name: value for name, value in provider.claims.items() if value is not None}
    with pytest.raises(NotSignedIn):
        await oidc.come_back({"state": sent.state, "code": "c"}, sent, BACK)


@aio
async def test_a_token_signed_by_somebody_else_or_by_nobody_is_refused(key):
    """Nor one "signed" with what everybody knows, the public key as a shared secret's stand-in."""
    provider, oidc, sent = await away(key)
    provider.signed_with = generate_private_key(65537, 2048)
    with pytest.raises(NotSignedIn):
        await oidc.come_back({"state": sent.state, "code": "c"}, sent, BACK)
    provider.signed_with, provider.algorithm = "s" * 32, "HS256"
    with pytest.raises(NotSignedIn):
        await oidc.come_back({"state": sent.state, "code": "c"}, sent, BACK)
    provider.signed_with, provider.algorithm = "", "none"
    with pytest.raises(NotSignedIn):
        await oidc.come_back({"state": sent.state, "code": "c"}, sent, BACK)


@pytest.mark.parametrize(
    "query",
    [
        {"code": "c"},
        {"code": "c", "state": "another"},
        {"code": "c", "state": "SAME", "iss": "https://evil.example"},
        {"state": "SAME", "error": "access_denied", "error_description": "no\x00pe"},
        {"state": "SAME"},
    ],
    ids=str,
)
@aio
async def test_an_answer_to_another_question_is_refused_before_anything_is_redeemed(key, query):
    """No state, another one, of another provider, or a refusal."""
    provider, oidc, sent = await away(key)
    query = {name: sent.state if value == "SAME" else value for name, value in query.items()}
    with pytest.raises(NotSignedIn):
        await oidc.come_back(query, sent, BACK)
    with pytest.raises(NotSignedIn):
        await oidc.come_back(query, None, BACK)
    assert [each.method for each in provider.asked] == ["GET"]


@pytest.mark.parametrize(
    "change",
    [{"issuer": "https://evil.example"}, {"token_endpoint": "http://plain.example/t"}, {"jwks_uri": None}],
    ids=str,
)
@aio
async def test_a_provider_that_describes_itself_wrongly_is_not_asked(key, change):
    """Its issuer is another, or a secret would go over the wire in plain."""
    provider = Provider(key)
    provider.description.update(change)
    with pytest.raises(NotSignedIn, match="cannot be reached or understood"):
        await Oidc(SETTINGS, provider).leave(BACK, "/")  # type: ignore[arg-type]


@aio
async def test_the_whole_way_through_the_site(key):
    """What the browser brings back is sealed; without it, or changed, the answer is refused and nobody is in."""
    provider = Provider(key)
    looked = Looked(oidc=Oidc(SETTINGS, provider), address="http://gate.example")  # type: ignore[arg-type]
    browser = Browser(looked, "10.0.0.9", "gate.example")
    left = await browser.get("/sign-in/oidc?next=/cost")
    asked = parse_qs(urlsplit(left.header("location")).query)
    assert asked["redirect_uri"] == [BACK]
    now = int(time.time())
    provider.claims = {
        "iss": ISSUER,
        "aud": "headgate",
        "sub": "ann-1",
        "exp": now + 60,
        "iat": now,
        "nonce": asked["nonce"][0],
        "email": "ann@example.com",
        "realm": {"groups": ["boss"]},
    }
    target = f"/sign-in/oidc/callback?code=c&state={asked['state'][0]}"
    stranger = Browser(looked, "10.0.0.9", "gate.example")
    assert (await stranger.get(target)).status == 401
    whole = browser.cookies["headgate-away"]
    # One digit of the seal is another one, whichever it was.
    stranger.cookies["headgate-away"] = whole[:-1] + ("1" if whole.endswith("0") else "0")
    assert (await stranger.get(target)).status == 401
    back = await browser.get(target)
    assert back.status == 200 and 'href="&#x2f;cost"' in back.text and "headgate-away" not in browser.cookies
    assert "ann@example.com" in (await browser.get()).text
    [ann] = await looked.people.all()
    assert ann.roles == ("owner",) and ann.identity == "ann-1" and ann.password == ""
    assert [entry.actor for entry in await looked.audit.since(0, 9)] == [f"oidc:{ISSUER}"]
