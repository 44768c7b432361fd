"""Who may ask, and what callers say of themselves."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.admission.keys import KEY_PREFIX, hash_key, new_key
from headgate.admission.ring import KeyRing
from headgate.admission.stage import Identify
from headgate.core.errors import InvalidRequest, NotAllowed, NotAuthenticated
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.stores.keys import KeyRecord, OldHash
from tests.support.aio import aio

__all__: list[str] = []

PEPPER = b"pepper"
KEY = "hg_a-good-key"


def record(key: str = KEY, **fields: Any) -> KeyRecord:
    given: dict[str, Any] = {
        "id": "key_1",
        "name": "app",
        "hash": hash_key(key, PEPPER).hex(),
        "created_ns": 1,
        **fields,
    }
    return KeyRecord(**given)


def exchange(*headers: tuple[bytes, bytes], model: str = "", user: str = "") -> Exchange:
    made = Exchange(id=1, dialect=OpenAIChat(), body=b"", headers=headers, received_at=0.0, started_ns=0)
    made.peek = Peek(model=model, user=user)
    return made


async def proceed(exchange: Exchange) -> Reply:
    return Reply()


async def identified(*headers: tuple[bytes, bytes], required: bool = True, **peek: str) -> Exchange:
    found = exchange(*headers, **peek)
    ring = KeyRing([record(models=["small"] if peek.get("model") else [])], PEPPER)
    await Identify(ring, keys_required=required)(found, proceed)
    return found


GOOD = (b"authorization", b"Bearer " + KEY.encode())


@pytest.mark.parametrize(
    "header",
    [
        GOOD,
        (b"authorization", b"bearer   " + KEY.encode() + b" "),
        (b"authorization", b"BEARER " + KEY.encode()),
        (b"x-api-key", KEY.encode()),
    ],
)
@aio
async def test_a_key_is_taken_in_either_header(header: tuple[bytes, bytes]) -> None:
    """As OpenAI's SDKs send it and as Anthropic's do."""
    caller = (await identified(header)).caller
    assert caller is not None and (caller.key_id, caller.key_name) == ("key_1", "app")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"authorization", b"Bearer ")],
        [(b"authorization", b"Basic " + KEY.encode())],
        [(b"authorization", KEY.encode())],
        [(b"authorization", b"Bearer hg_wrong")],
        [(b"x-api-key", b"\xff\xfe\x00")],
        [(b"authorization", b"Bearer wrong"), (b"x-api-key", KEY.encode())],
    ],
)
@aio
async def test_nobody_gets_in_without_a_key_of_ours(headers: list[tuple[bytes, bytes]]) -> None:
    """The message repeats nothing of what was sent."""
    with pytest.raises(NotAuthenticated) as raised:
        await identified(*headers)
    assert "wrong" not in raised.value.message and KEY not in raised.value.message


@aio
async def test_without_keys_required_everybody_is_somebody() -> None:
    """A key that comes anyway still says whose it is."""
    anonymous = (await identified(required=False)).caller
    known = (await identified(GOOD, required=False)).caller
    assert anonymous is not None and anonymous.key_name == "anonymous"
    assert known is not None and known.key_id == "key_1"


@aio
async def test_a_key_may_ask_for_its_models_only() -> None:
    """403, listing what it may ask for."""
    assert (await identified(GOOD, model="small")).caller is not None
    with pytest.raises(NotAllowed, match="it may ask for small"):
        await identified(GOOD, model="large")


def test_revoked_and_expired_keys_are_not_known() -> None:
    """From the moment on that they are."""
    now = time.time_ns()
    assert KeyRing([record(revoked_ns=1)], PEPPER).caller(KEY.encode()) is None
    assert KeyRing([record(expires_ns=now - 1)], PEPPER).caller(KEY.encode()) is None
    assert KeyRing([record(expires_ns=now + 10**12)], PEPPER).caller(KEY.encode()) is not None


def test_a_ring_knows_what_it_was_told_last() -> None:
    """And nothing else."""
    ring = KeyRing([record()], PEPPER)
    ring.know([record("hg_other")], PEPPER)
    assert len(ring) == 1
    assert ring.caller(KEY.encode()) is None and ring.caller(b"hg_other") is not None


def test_a_key_that_was_let_in_is_asked_for_again_when_keys_change() -> None:
    """Revoked, expired, rotated, or hashed in another way: that it was known a moment ago helps nobody."""
    now = time.time_ns()
    for instead, pepper in [
        (record(revoked_ns=1), PEPPER),
        (record(expires_ns=now - 1), PEPPER),
        (record("hg_other"), PEPPER),
        (record(), b"another"),
    ]:
        ring = KeyRing([record()], PEPPER)
        assert ring.caller(KEY.encode()) is not None is not ring.caller(KEY.encode())
        ring.know([instead], pepper)
        assert ring.caller(KEY.encode()) is None
    short = KeyRing([record(expires_ns=time.time_ns() + 30_000_000)], PEPPER)
    assert short.caller(KEY.encode()) is not None
    time.sleep(0.04)
    assert short.caller(KEY.encode()) is None


def test_keys_that_are_none_are_not_kept() -> None:
    """A stranger cannot fill the memory with guesses."""
    ring = KeyRing([record()], PEPPER)
    for number in range(100):
        assert ring.caller(b"hg_%d" % number) is None
    assert ring.caller(KEY.encode()) is not None
    assert set(ring._met) == {KEY.encode()}


def test_a_change_to_one_key_makes_nothing_of_the_others_anew() -> None:
    """Of ten thousand keys one was used: what is known of the rest stays, or streams would stand still each minute."""
    others = record("hg_other", id="key_2", name="other", old_hashes=(OldHash("ab" * 32, 2**62),))
    ring = KeyRing([record(), others], PEPPER)
    mine, other = ring.caller(KEY.encode()), ring.caller(b"hg_other")
    ring.know([record(roles=("viewer",)), msgspec.structs.replace(others)], PEPPER)
    assert ring.caller(b"hg_other") is other and len(ring) == 3
    now_mine = ring.caller(KEY.encode())
    assert mine is not None and now_mine is not None
    assert (mine.roles, now_mine.roles) == (("service",), ("viewer",))
    ring.know([record(roles=("viewer",)), msgspec.structs.replace(others, revoked_ns=1)], PEPPER)
    assert ring.caller(b"hg_other") is None and len(ring) == 1


def test_a_hash_is_worth_nothing_without_the_pepper() -> None:
    """Two installations keep the same key under different hashes."""
    assert hash_key(KEY, b"one") != hash_key(KEY, b"two")
    assert hash_key(KEY, b"one") == hash_key(KEY.encode(), b"one")
    made = {new_key() for _ in range(100)}
    assert len(made) == 100 and all(key.startswith(KEY_PREFIX) and len(key) == 46 for key in made)


@aio
async def test_what_callers_say_of_themselves() -> None:
    """User, session, feature and tags; a header outweighs the body's user."""
    found = await identified(
        GOOD,
        (b"x-headgate-user", "Jürgen".encode()),
        (b"x-headgate-session", b"s" * 1000),
        (b"x-headgate-feature", b"chat"),
        (b"x-headgate-tags", b"team=canal, urgent, a=b=c, ,=x,  =y"),
        user="somebody else",
    )
    assert (found.user, found.session, found.feature) == ("Jürgen", "s" * 256, "chat")
    assert found.tags == {"team": "canal", "urgent": "true", "a": "b=c"}
    assert (await identified(GOOD, user="ann")).user == "ann"


@aio
async def test_every_header_of_tags_is_read_whole() -> None:
    """Where sensitive data may go must not depend on what stands before the word."""
    long = (b"x-headgate-tags", b"trace=" + b"x" * 300 + b",data=sensitive")
    found = await identified(GOOD, long, (b"x-headgate-tags", b"app=web"))
    assert found.tags == {"trace": "x" * 256, "data": "sensitive", "app": "web"}


@given(st.binary(max_size=400))
def test_any_bytes_can_be_tags(value: bytes) -> None:
    """Names are never empty, nothing is raised."""

    @aio
    async def check() -> None:
        found = await identified(GOOD, (b"x-headgate-tags", value), (b"x-headgate-user", value))
        assert all(name and name == name.strip() for name in found.tags)

    check()


@aio
async def test_an_application_may_say_which_prompt_it_used_and_how_it_filled_it() -> None:
    """Those that keep prompts in their own code."""
    found = await identified(
        GOOD,
        (b"x-headgate-prompt", b" greeting@7 "),
        (b"x-headgate-variables", b'{"name": "Ada", "city": "K\\u00f6ln"}'),
    )
    assert (found.prompt, found.variables) == ("greeting@7", {"name": "Ada", "city": "Köln"})
    assert (await identified(GOOD)).variables == {}
    assert len((await identified(GOOD, (b"x-headgate-prompt", b"x" * 999))).prompt) == 256


@pytest.mark.parametrize(
    "value",
    [b"", b"null", b"[]", b'{"a": 1}', b'{"a": "b"', b'{"a": "\\ud800"}', b'{"a": "\xff"}', b"x" * 5_000],
)
@aio
async def test_variables_that_are_none_are_refused(value: bytes) -> None:
    """Whoever sends them relies on them. What stands there is not repeated."""
    with pytest.raises(InvalidRequest) as raised:
        await identified(GOOD, (b"x-headgate-variables", value))
    assert raised.value.param == "x-headgate-variables"


@aio
async def test_what_strangers_say_of_variables_is_not_read() -> None:
    """They are told that they have no key, and nothing else."""
    with pytest.raises(NotAuthenticated):
        await identified((b"x-headgate-variables", b"{"))


PARENT = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        (PARENT, True),
        (PARENT.upper(), False),
        (b"01" + PARENT[2:], False),
        (PARENT + b"-x", False),
        (b"00-" + b"0" * 32 + PARENT[35:], False),
        (PARENT[:36] + b"0" * 16 + b"-01", False),
        (b"00-" + b"x" * 52, False),
        (b"00-" + b"\xff" * 52, False),
    ],
)
@aio
async def test_a_trace_is_continued_if_it_is_one(value: bytes, taken: bool) -> None:
    """What W3C calls invalid is taken no notice of."""
    assert (await identified(GOOD, (b"traceparent", value))).trace_parent == (value.decode() if taken else "")


@given(st.binary(max_size=80))
def test_no_bytes_are_taken_for_a_trace_that_are_none(value: bytes) -> None:
    """Random bytes are not."""

    @aio
    async def check() -> None:
        assert (await identified(GOOD, (b"traceparent", value))).trace_parent == ""

    check()
