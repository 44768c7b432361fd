"""What every store of secrets promises; run on each backend."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from headgate.stores.audit import AuditEntry
from headgate.stores.sealing import CannotOpen
from headgate.stores.secrets import SecretRecord
from tests.support.aio import aio
from tests.support.stores import BACKENDS, SHARED, stores

__all__: list[str] = []

SECRET = SecretRecord(
    name="openai",
    hosts=("api.openai.com", "eu.api.openai.com"),
    sealed=b"\x01\x00\xff sealed",
    master="0a0b0c0d",
    created_ns=10,
    changed_ns=20,
)
NOTE = AuditEntry(at_ns=20, actor="cli:ann", action="secret.set", subject="openai")

both = pytest.mark.parametrize("backend", BACKENDS)


@both
@aio
async def test_secrets_come_back_whole_in_the_order_of_their_names(backend: str, place: Path | str) -> None:
    """Capitals before small letters on every engine, and bytes as they were."""
    other = msgspec.structs.replace(SECRET, name="Zeta", hosts=("h:1",), sealed=b"")
    async with stores(backend, place) as opened:
        assert list(await opened.secrets.all()) == []
        await opened.secrets.put(SECRET)
        await opened.secrets.put(other)
        assert list(await opened.secrets.all()) == [other, SECRET]


@both
@aio
async def test_a_secret_given_again_replaces_the_one_before(backend: str, place: Path | str) -> None:
    """All of it but the moment of its creation."""
    again = msgspec.structs.replace(
        SECRET, hosts=("other.test",), sealed=b"new", master="ffffffff", created_ns=90, changed_ns=91
    )
    async with stores(backend, place) as opened:
        await opened.secrets.put(SECRET)
        await opened.secrets.put(again)
        assert list(await opened.secrets.all()) == [msgspec.structs.replace(again, created_ns=10)]


@both
@aio
async def test_a_removed_secret_is_gone_and_can_be_removed_once(backend: str, place: Path | str) -> None:
    """Nothing of it stays; the log has an entry for what was done, and none for what was not."""
    async with stores(backend, place) as opened:
        await opened.secrets.put(SECRET, NOTE)
        assert await opened.secrets.remove("openai", NOTE)
        assert not await opened.secrets.remove("openai", NOTE)
        assert list(await opened.secrets.all()) == []
        assert len(await opened.audit.since(0, 10)) == 2


@both
@aio
async def test_all_secrets_are_sealed_again_together(backend: str, place: Path | str) -> None:
    """Each record as it was made, one entry for all of them."""
    records = [msgspec.structs.replace(SECRET, name=f"s{number}") for number in range(3)]

    def again(record: SecretRecord) -> SecretRecord:
        return msgspec.structs.replace(record, sealed=record.sealed + b"!", master="bbbbbbbb")

    def entry(done: Sequence[SecretRecord]) -> AuditEntry:
        return msgspec.structs.replace(NOTE, action="secret.rotate", subject=" ".join(r.name for r in done))

    async with stores(backend, place) as opened:
        for record in records:
            await opened.secrets.put(record)
        done = await opened.secrets.reseal(again, entry)
        assert list(done) == list(map(again, records)) == list(await opened.secrets.all())
        assert [each.subject for each in await opened.audit.since(0, 10)] == ["s0 s1 s2"]


@both
@aio
async def test_if_one_secret_does_not_open_none_is_sealed_again(backend: str, place: Path | str) -> None:
    """Half of them under each key would be a database that no key opens."""
    second = msgspec.structs.replace(SECRET, name="second")

    def again(record: SecretRecord) -> SecretRecord:
        if record.name == "second":
            raise CannotOpen("it does not open")
        return msgspec.structs.replace(record, sealed=b"other")

    async with stores(backend, place) as opened:
        await opened.secrets.put(SECRET)
        await opened.secrets.put(second)
        with pytest.raises(CannotOpen, match="does not open"):
            await opened.secrets.reseal(again, lambda _: NOTE)
        assert list(await opened.secrets.all()) == [SECRET, second]
        assert list(await opened.audit.since(0, 10)) == []


@pytest.mark.parametrize("backend", SHARED)
@aio
async def test_what_one_process_gives_another_finds(backend: str, place: Path | str) -> None:
    """Two connections to the same place."""
    async with stores(backend, place) as one, stores(backend, place) as two:
        await one.secrets.put(SECRET)
        assert list(await two.secrets.all()) == [SECRET]
