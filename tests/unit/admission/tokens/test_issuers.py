"""Public keys are read from a file or an address, kept when they cannot be read, and read again when they should."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from headgate.admission.tokens.issuers import SOONEST_SECONDS, Issuers
from headgate.admission.tokens.settings import TokenSettings
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.aio import aio
from tests.support.tokens import AUDIENCE, ISSUER, document, token

__all__: list[str] = []

ADDRESS = "https://login.example.test/keys"


def settings(jwks: str, **more: Any) -> TokenSettings:
    return TokenSettings(issuer=ISSUER, audience=AUDIENCE, jwks=jwks, everybody=["service"], **more)


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@aio
async def test_keys_come_from_a_file(tmp_path_factory) -> None:
    """Changed in place, the new ones count when they are due; while it cannot be read the old ones do."""
    path: Path = tmp_path_factory.mktemp("d") / "jwks.json"
    path.write_bytes(document("one"))
    time = Time()
    issuers = Issuers({"corp": settings(str(path))}, ScriptedUpstream([]), time)
    assert issuers.caller(token("one")) is None
    await issuers.refresh()
    assert issuers.caller(token("one")) is not None
    path.write_bytes(document("two"))
    await issuers.refresh()
    assert issuers.caller(token("one")) is not None
    time.now += 601
    await issuers.refresh()
    assert issuers.caller(token("one")) is None and issuers.caller(token("two")) is not None
    for broken in (b"{}", None):
        path.write_bytes(broken) if broken else path.unlink()
        time.now += 601
        await issuers.refresh()
        assert issuers.caller(token("two")) is not None
    path.write_bytes(document("three"))
    time.now += SOONEST_SECONDS
    await issuers.refresh()
    assert issuers.caller(token("three")) is not None


@aio
async def test_keys_come_from_an_address() -> None:
    """A redirect or an error is no document; the next try comes soon, and no flood of tokens makes it come sooner."""
    upstream = ScriptedUpstream(
        [
            Script(pieces=[b"moved"], status=302),
            Script(pieces=[document("one")]),
            Script(pieces=[document("one", "two")]),
        ]
    )
    time = Time()
    issuers = Issuers({"corp": settings(ADDRESS)}, upstream, time)
    await issuers.refresh()
    assert issuers.caller(token("one")) is None
    await issuers.refresh()
    assert len(upstream.requests) == 1
    time.now += SOONEST_SECONDS
    await issuers.refresh()
    assert issuers.caller(token("one")) is not None
    for _ in range(3):
        assert issuers.caller(token("two")) is None
        await issuers.refresh()
    assert len(upstream.requests) == 2
    time.now += SOONEST_SECONDS
    await issuers.refresh()
    assert issuers.caller(token("two")) is not None
    assert [(one.method, str(one.url.host)) for one in upstream.requests] == [
        ("GET", "login.example.test")
    ] * 3


@aio
async def test_settings_change_while_it_runs(tmp_path_factory) -> None:
    """An issuer that stays keeps its keys, one that is gone is not believed, one that changed is read anew."""
    path: Path = tmp_path_factory.mktemp("d") / "jwks.json"
    path.write_bytes(document("one"))
    corp = settings(str(path))
    issuers = Issuers({}, ScriptedUpstream([]), Time(), tick=0.01)
    assert issuers.caller(token("one")) is None
    issuers.use({"corp": corp})
    await issuers.start()
    assert issuers.caller(token("one")) is not None
    issuers.use({"other": settings(str(path), team_claim="t"), "corp": corp})
    found = issuers.caller(token("one"))
    assert found is not None and found.key_id == "corp:u-1"
    issuers.use({"other": settings(str(path))})
    while issuers.caller(token("one")) is None:
        await asyncio.sleep(0.01)
    found = issuers.caller(token("one"))
    assert found is not None and found.key_id == "other:u-1"
    issuers.use({})
    assert issuers.caller(token("one")) is None
    await issuers.aclose()
    await issuers.aclose()


@aio
async def test_who_changes_an_issuers_roles_locks_nobody_out(tmp_path_factory) -> None:
    """Its public keys are believed on until they are read anew, also while they cannot be read; others' never."""
    path: Path = tmp_path_factory.mktemp("d") / "jwks.json"
    path.write_bytes(document("one"))
    issuers = Issuers({"corp": settings(str(path))}, ScriptedUpstream([]), Time())
    await issuers.refresh()
    path.unlink()
    issuers.use({"corp": settings(str(path), team_claim="sub")})
    found = issuers.caller(token("one"))
    assert found is not None and found.team == "u-1"
    await issuers.refresh()
    assert issuers.caller(token("one")) is not None
    issuers.use({"corp": settings(str(path.with_name("others.json")))})
    assert issuers.caller(token("one")) is None


def test_without_the_program_that_checks_tokens_it_says_what_to_install(monkeypatch) -> None:
    """Only whoever configures tokens needs it."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    Issuers({}, ScriptedUpstream([]))
    with pytest.raises(ValueError, match=r"headgate\[sso\]"):
        Issuers({"corp": settings("jwks.json")}, ScriptedUpstream([]))
