"""What a key may come for, whose it is, and that a rotated key is still the same caller."""

from __future__ import annotations

import time
from typing import Any

import pytest

from headgate.admission.keys import hash_key
from headgate.admission.ring import KeyRing
from headgate.admission.stage import Identify
from headgate.core.errors import NotAllowed
from headgate.edge.dialects.anthropic_messages import AnthropicCountTokens
from headgate.edge.dialects.models import OpenAIModels
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.stores.keys import KeyRecord, OldHash
from tests.support.aio import aio

__all__: list[str] = []

PEPPER = b"pepper"
KEY = "hg_a-good-key"


def hashed(key: str) -> str:
    return hash_key(key, PEPPER).hex()


def record(**fields: Any) -> KeyRecord:
    return KeyRecord(**{"id": "key_1", "name": "app", "hash": hashed(KEY), "created_ns": 1, **fields})


async def proceed(exchange: Exchange) -> Reply:
    return Reply()


async def identified(
    key: KeyRecord,
    *headers: tuple[bytes, bytes],
    dialect: Any = None,
    required: bool = True,
    sent: bool = True,
    **peek: str,
) -> Exchange:
    sends = [(b"authorization", b"Bearer " + KEY.encode())] if sent else []
    found = Exchange(
        id=1,
        dialect=dialect or OpenAIChat(),
        body=b"",
        headers=[*sends, *headers],
        received_at=0.0,
        started_ns=0,
    )
    found.peek = Peek(**peek)  # type: ignore[arg-type]
    await Identify(KeyRing([key], PEPPER), keys_required=required)(found, proceed)
    return found


@pytest.mark.parametrize("dialect", [OpenAIChat(), AnthropicCountTokens(), OpenAIModels()])
@aio
async def test_a_key_that_may_only_look_asks_no_model(dialect: Any) -> None:
    """Nor counts tokens, nor lists models; the refusal names who may."""
    with pytest.raises(NotAllowed, match=r"role viewer .*owner, operator, developer, service"):
        await identified(record(roles=("viewer",)), dialect=dialect)


@aio
async def test_a_key_without_a_known_role_may_nothing() -> None:
    """Denied by default, also for a role of a newer Headgate."""
    for roles, told in (((), "no role"), (("chief",), "role chief"), (("chief", "viewer"), "roles chief, ")):
        with pytest.raises(NotAllowed, match=told):
            await identified(record(roles=roles))


@aio
async def test_nobody_is_an_application_where_no_key_is_asked_for() -> None:
    """`server.auth = "none"`; but a key that comes says what its bearer may."""
    caller = (await identified(record(), required=False, sent=False)).caller
    assert caller is not None and caller.roles == ("service",)
    with pytest.raises(NotAllowed):
        await identified(record(roles=("viewer",)), required=False)


@aio
async def test_a_key_for_features_is_counted_for_no_other() -> None:
    """Neither by asking for it nor by naming it in a header: another feature's rules and budget are not its own."""
    key = record(features=("chat", "search"), models=("small",))
    label = b"x-headgate-feature"
    assert (await identified(key, (label, b"chat"), model="small")).feature == "chat"
    for model in ("chat", "search", "small", ""):
        await identified(key, model=model)
    with pytest.raises(NotAllowed, match=r"`other`; it may ask for chat, search$") as raised:
        await identified(key, (label, b"other"), model="small")
    assert raised.value.param == "x-headgate-feature"
    with pytest.raises(NotAllowed, match="`other`; it may ask for small, chat, search"):
        await identified(key, model="other")


@aio
async def test_a_label_is_free_for_keys_without_features() -> None:
    """As it always was."""
    for key in (record(), record(models=("small",))):
        assert (await identified(key, (b"x-headgate-feature", b"any"), model="small")).feature == "any"


@aio
async def test_a_persons_key_is_used_by_that_person() -> None:
    """Unless the application names somebody."""
    key = record(user="ann", team="canal", tenant="acme")
    found = await identified(key)
    assert found.user == "ann"
    assert found.caller is not None
    assert (found.caller.user, found.caller.team, found.caller.organisation) == ("ann", "canal", "acme")
    assert (await identified(key, user="bob")).user == "bob"
    assert (await identified(key, (b"x-headgate-user", b"eve"))).user == "eve"


def test_a_rotated_key_is_the_same_caller_by_either_key() -> None:
    """Until the overlap is over, or the key's own end if that comes first."""
    now = time.time_ns()
    lasting, over = OldHash(hashed("hg_old"), now + 10**12), OldHash(hashed("hg_older"), now - 1)
    ring = KeyRing([record(old_hashes=(over, lasting))], PEPPER)
    assert ring.caller(b"hg_old") is ring.caller(KEY.encode()) is not None
    assert ring.caller(b"hg_older") is None
    expired = KeyRing([record(old_hashes=(lasting,), expires_ns=now - 1)], PEPPER)
    assert expired.caller(b"hg_old") is None and expired.caller(KEY.encode()) is None
    revoked = KeyRing([record(old_hashes=(lasting,), revoked_ns=now)], PEPPER)
    assert revoked.caller(b"hg_old") is None and len(revoked) == 0


def test_an_old_key_ends_between_two_readings_of_the_database() -> None:
    """Its moment is looked at with every request."""
    ring = KeyRing([record(old_hashes=(OldHash(hashed("hg_old"), time.time_ns() + 30_000_000),))], PEPPER)
    due = time.monotonic() + 5
    while ring.caller(b"hg_old") is not None:
        assert time.monotonic() < due
    assert ring.caller(KEY.encode()) is not None


def test_a_ring_tells_once_which_keys_were_used() -> None:
    """By id, however often and by whichever key; not those that were refused."""
    old = OldHash(hashed("hg_old"), time.time_ns() + 10**12)
    other = KeyRecord(id="key_2", name="b", hash=hashed("hg_b"), created_ns=1, expires_ns=1)
    ring = KeyRing([record(old_hashes=(old,)), other], PEPPER)
    assert ring.take_used() == set()
    for key in (KEY, "hg_old", KEY, "hg_b", "hg_nobody"):
        ring.caller(key.encode())
    assert ring.take_used() == {"key_1"}
    assert ring.take_used() == set()


def test_what_is_known_already_is_not_made_again() -> None:
    """Each second the same keys come; the callers stay the same objects until something changes."""
    ring = KeyRing([record()], PEPPER)
    before = ring.caller(KEY.encode())
    ring.know([record()], PEPPER)
    assert ring.caller(KEY.encode()) is before
    ring.know([record(team="canal")], PEPPER)
    after = ring.caller(KEY.encode())
    assert after is not None and after.team == "canal"
    ring.know([], PEPPER)
    assert ring.caller(KEY.encode()) is None
