"""What every store of rules and of how things stand promises; run on each backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory import MemoryAudit
from headgate.stores.backends.memory.rules import MemoryRules
from headgate.stores.backends.postgres.rules import PostgresRules
from headgate.stores.backends.sqlite.rules import SqliteRules
from headgate.stores.rules import CLOCK_BACK_NS, RuleRecord, Standing, Watching, seen
from tests.support.aio import aio
from tests.support.stores import BACKENDS

__all__: list[str] = []

RULE = RuleRecord(name="slow\x00", created_ns=5, changed_ns=5, definition='{"metric": "latency_p95"}')
CHANGE = AuditEntry(at_ns=1, actor="test", action="rule.add", subject="slow")
NEW = Standing(rule="rule:slow", subject="feature:shop\x00")

every = pytest.mark.parametrize("backend", BACKENDS)


@asynccontextmanager
async def opened(backend: str, place: Path | str) -> AsyncIterator[tuple[Watching, AuditLog]]:
    if backend == "memory":
        log = MemoryAudit()
        yield MemoryRules(log), log
    elif backend == "sqlite":
        file = sqlite.Database(Path(place) / "headgate.db")
        yield SqliteRules(file), sqlite.SqliteAudit(file)
        await file.close()
    else:
        server = postgres.Database(str(place))
        yield PostgresRules(server), postgres.PostgresAudit(server)
        await server.close()


@every
def test_a_rule_comes_back_whole_and_its_change_is_in_the_audit_log(backend: str, place: Path | str) -> None:
    """A new one does not take the place of another; one that is put does. Only what was done is noted."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, log):
            assert await store.put_rule(RULE, CHANGE, new=True)
            assert not await store.put_rule(RULE, replace(CHANGE, subject="again"), new=True)
            paused = replace(RULE, paused=True, changed_ns=9)
            assert await store.put_rule(paused, replace(CHANGE, action="rule.pause"))
            assert await store.rules() == [paused]
            assert [each.action for each in await log.since(0, 10)] == ["rule.add", "rule.pause"]

    run()


@every
def test_a_rule_that_is_removed_takes_along_how_it_stood(backend: str, place: Path | str) -> None:
    """One of that name that comes later begins anew. What is not there cannot be removed."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, log):
            rule = replace(RULE, name="slow")
            await store.put_rule(rule)
            await store.stand([(NEW, seen(NEW, "alert", 2.5, 7))])
            other = replace(NEW, rule="contract:shop")
            await store.stand([(other, seen(other, "kept", None, 7))])
            assert await store.remove_rule("slow", CHANGE)
            assert not await store.remove_rule("slow", CHANGE)
            assert await store.rules() == []
            assert [each.rule for each in await store.standings()] == ["contract:shop"]
            assert len(await log.since(0, 10)) == 1

    run()


@every
def test_who_moves_a_standing_on_second_is_told_so(backend: str, place: Path | str) -> None:
    """Of two nodes that read the same, one is kept: the other must not overwrite what it did not know of."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            first = seen(NEW, "alert", 2.5, 7)
            assert list(await store.stand([(NEW, first), (NEW, replace(first, value=9.0))])) == [True, False]
            [known] = await store.standings(["rule:slow"])
            assert known == first and known.number == 1
            after = seen(known, "ok", None, 8)
            assert list(await store.stand([(known, after)])) == [True]
            assert list(await store.stand([(known, seen(known, "warning", 1.0, 9))])) == [False]
            assert list(await store.standings()) == [after]
            assert await store.standings(["rule:other"]) == []
            await store.forget(["rule:slow"])
            assert await store.standings() == []

    run()


@every
def test_a_round_is_claimed_once(backend: str, place: Path | str) -> None:
    """Rounds come once in so long, counted from 1970 on; each name has its own."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            assert await store.claim_round("fast", 95, 30)
            assert not await store.claim_round("fast", 119, 30)
            assert await store.claim_round("slow", 119, 30)
            assert await store.claim_round("fast", 120, 30)
            assert not await store.claim_round("fast", 121, 30)
            # Who is a little behind waits; after a clock was set back nobody waits for the time that it showed.
            later = 120 + 2 * CLOCK_BACK_NS
            assert await store.claim_round("fast", later, 30)
            assert not await store.claim_round("fast", later - CLOCK_BACK_NS, 30)
            assert await store.claim_round("fast", 121, 30)
            assert not await store.claim_round("fast", 121, 30)
            assert await store.standings() == []

    run()
