"""A token lets in whom it should, and nobody else."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.admission.tokens.reading import Issuer, load_keys, looks_like_a_token
from headgate.admission.tokens.settings import TokenSettings
from tests.support.tokens import AUDIENCE, ISSUER, claims, document, private_key, token

__all__: list[str] = []

SETTINGS: dict[str, Any] = {
    "issuer": ISSUER,
    "audience": AUDIENCE,
    "jwks": "jwks.json",
    "everybody": ["service"],
}


def issuer(*kids: str, kind: str = "EC", **settings: Any) -> Issuer:
    made = Issuer("corp", TokenSettings(**{**SETTINGS, **settings}))
    made.take_keys(load_keys(document(*(kids or ("one",)), kind=kind)))
    return made


@pytest.mark.parametrize("kind", ["EC", "RSA"])
def test_a_good_token_is_its_bearers(kind: str) -> None:
    """Also one without `kid`, where the issuer has one key; the second time it is the same caller."""
    corp = issuer(kind=kind)
    good = token(kind=kind)
    caller = corp.caller(good)
    assert caller is not None and caller is corp.caller(good)
    assert (caller.key_id, caller.key_name, caller.user) == ("corp:u-1", "corp:u-1", "u-1")
    assert caller.roles == ("service",) and "openai.chat" in caller.routes
    assert corp.caller(token(None, kind=kind)) is not None


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "https://login.example.test"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": None},
        {"exp": -31},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 600},
        {"iat": 600},
        {"sub": None},
    ],
    ids=str,
)
def test_a_token_that_is_not_for_us_or_not_now_is_refused(wrong: dict[str, Any]) -> None:
    """Whoever signed it. Numbers are seconds from now."""
    now = int(time.time())
    wrong = {name: now + value if isinstance(value, int) else value for name, value in wrong.items()}
    assert issuer().caller(token(**wrong)) is None


def test_an_audience_may_be_one_of_several() -> None:
    """As the standard has it."""
    assert issuer().caller(token(aud=["another", AUDIENCE])) is not None


def test_clocks_may_differ_a_little() -> None:
    """By half a minute."""
    assert issuer().caller(token(exp=int(time.time()) - 5)) is not None


def test_a_signature_of_somebody_else_is_none() -> None:
    """Under our key's name, under its own, and with a bit of ours changed."""
    corp = issuer("one", "two")
    assert corp.caller(token("one", by="stranger")) is None
    assert corp.caller(token("one", by="two")) is None
    assert not corp.wants_keys
    assert corp.caller(token("stranger")) is None
    assert corp.wants_keys
    head, body, signature = token().split(b".")
    flipped = bytes([signature[0] ^ 1]) + signature[1:]
    assert corp.caller(b".".join((head, body, flipped))) is None


def part(value: object) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=")


def test_no_algorithm_is_no_signature() -> None:
    """The oldest trick, in the spellings it has."""
    corp = issuer()
    for name in ("none", "None", "NONE", "nOnE", ""):
        for signature in (b"", b"AA"):
            assert (
                corp.caller(b".".join((part({"alg": name, "kid": "one"}), part(claims()), signature))) is None
            )


def test_a_public_key_is_no_secret() -> None:
    """The second oldest: signed with HMAC, the public key as the secret."""
    corp = issuer(kind="RSA")
    public = json.loads(document("one", kind="RSA"))["keys"][0]["n"]
    forged = jwt.encode(claims(), public, algorithm="HS256", headers={"kid": "one"}).encode()
    assert corp.caller(forged) is None
    with pytest.raises(ValueError, match="HS256"):
        TokenSettings(**{**SETTINGS, "algorithms": ["HS256"]})


def test_only_the_algorithms_that_were_named_count() -> None:
    """A good signature by another is none."""
    assert issuer(algorithms=["RS256"]).caller(token()) is None
    assert issuer(algorithms=["ES256"]).caller(token()) is not None


def test_claims_become_what_a_caller_is() -> None:
    """By name, through objects, by the operator's table; what the issuer calls a role is none by itself."""
    corp = issuer(
        user_claim="email",
        team_claim="https://acme.test/team",
        tenant_claim="org.id",
        roles_claim="realm_access.roles",
        roles={"ai-dev": "developer", "ai-watch": "viewer"},
        everybody=[],
        features=["chat"],
        models=["small"],
    )
    caller = corp.caller(
        token(
            email="ann@acme.test",
            org={"id": 7},
            realm_access={"roles": ["ai-watch", "owner", "ai-dev", 3]},
            **{"https://acme.test/team": "canal\x1b[2J"},
        )
    )
    assert caller is not None
    assert (caller.user, caller.key_id, caller.key_name) == (
        "ann@acme.test",
        "corp:u-1",
        "corp:ann@acme.test",
    )
    assert (caller.team, caller.tenant) == ("canal[2J", "7")
    assert caller.roles == ("developer", "viewer")
    assert (caller.models, caller.features) == (("small", "chat"), ("chat",))


@pytest.mark.parametrize(
    ("said", "roles"),
    [
        ("ai-dev other", ("developer",)),
        (["other"], ()),
        (None, ()),
        ({"ai-dev": True}, ()),
        (["ai-developer"], ()),
    ],
)
def test_without_a_role_nothing_is_reached(said: Any, roles: tuple[str, ...]) -> None:
    """A valid token says who somebody is, not what they may."""
    caller = issuer(everybody=[], roles={"ai-dev": "developer"}).caller(token(roles=said))
    assert caller is not None and caller.roles == roles
    assert bool(caller.routes) is bool(roles)


def test_a_token_that_is_known_ends_when_it_ends(monkeypatch) -> None:
    """It is remembered by all of its bytes, and not for longer than it lasts."""
    corp = issuer()
    good = token(exp=int(time.time()) + 100)
    assert corp.caller(good) is not None
    later = time.time() + 131
    monkeypatch.setattr("headgate.admission.tokens.reading.time.time", lambda: later)
    assert corp.caller(good) is None


def test_who_was_believed_because_of_a_key_that_is_gone_is_not_any_more() -> None:
    """An issuer takes a key back by leaving it out."""
    corp = issuer("one")
    good = token("one")
    assert corp.caller(good) is not None
    corp.take_keys(load_keys(document("two")))
    assert corp.caller(good) is None and corp.wants_keys
    assert corp.caller(token("two")) is not None


def test_only_public_keys_for_signatures_are_taken() -> None:
    """The rest of a document is passed over; a document without any is none."""
    (good,) = json.loads(document("one"))["keys"]
    extra = [
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {**good, "use": "enc", "kid": "encryption"},
        {"kty": "EC", "crv": "P-0", "kid": "unknown"},
        {"kty": "RSA", "kid": "broken"},
    ]
    assert set(load_keys(document("one", extra=extra))) == {"one"}
    for nothing in (b"", b"null", b"[]", b"{}", b'{"keys": 3}', b'{"keys": [3]}', b'{"keys": []}', b"\xff"):
        with pytest.raises(ValueError, match=r"JWKS|public key"):
            load_keys(nothing)
    with pytest.raises(ValueError, match="public key"):
        load_keys(json.dumps({"keys": extra}).encode())


CORP = issuer()


@given(st.binary(max_size=300) | st.lists(st.binary(max_size=60), min_size=3, max_size=3).map(b".".join))
def test_any_bytes_are_refused_quietly(data: bytes) -> None:
    """Strangers send them."""
    assert CORP.caller(data) is None


@given(
    st.dictionaries(
        st.sampled_from(["alg", "kid", "typ", "crit", "jwk", "x5u", "b64"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=9)
        | st.lists(st.text(max_size=4), max_size=2),
    )
)
def test_any_head_is_refused_quietly(head: dict[str, Any]) -> None:
    """Keys and addresses that a token brings along are never looked at."""
    assert CORP.caller(b".".join((part(head), part(claims()), b"AAAA"))) is None


def test_what_is_far_too_long_is_not_read() -> None:
    """Nor is it a token what has other than three parts."""
    assert issuer().caller(token(filler="x" * 9000)) is None
    assert looks_like_a_token(token()) and not looks_like_a_token(b"hg_" + b"x" * 43)
    assert private_key("one") is private_key("one")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"issuer": ""}, "issuer"),
        ({"audience": ""}, "audience"),
        ({"jwks": "http://login.example.test/keys"}, "https"),
        ({"jwks": "ftp://login.example.test/keys"}, "https"),
        ({"jwks": "https://"}, "https"),
        ({"roles": {"x": "boss"}}, "no role `boss`"),
        ({"everybody": ["all"]}, "no role `all`"),
        ({"refresh": 0}, "refresh"),
    ],
)
def test_settings_that_let_in_the_wrong_people_are_refused(wrong: dict[str, Any], told: str) -> None:
    """In words that name the setting."""
    with pytest.raises(ValueError, match=told):
        TokenSettings(**{**SETTINGS, **wrong})


def test_a_header_that_is_too_deep_is_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the program that reads it makes of it; older ones raise this."""

    def too_deep(_: object) -> None:
        raise RecursionError

    corp, good = issuer(), token()
    monkeypatch.setattr(jwt, "get_unverified_header", too_deep)
    assert corp.caller(good) is None
