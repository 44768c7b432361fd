"""Rules that were added, and how what is watched stands."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.text import kept, read
from headgate.stores.rules import CLOCK_BACK_NS, RuleRecord, Standing

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresRules"]

_RULE = RuleRecord.__struct_fields__
_STANDING = Standing.__struct_fields__
_ROUND = "round"
_RULES = f'SELECT {", ".join(_RULE)} FROM rule ORDER BY name COLLATE "C"'  # noqa: S608 - our own names
_NEW = (
    f"INSERT INTO rule ({', '.join(_RULE)}) VALUES ({', '.join(f'${place + 1}' for place in range(len(_RULE)))}) "  # noqa: S608 - as above
    "ON CONFLICT (name) DO "
)
_ADD = f"{_NEW} NOTHING RETURNING name"
_PUT = f"{_NEW} UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _RULE[1:])} RETURNING name"
_REMOVE = "DELETE FROM rule WHERE name = $1 RETURNING name"
_FORGET = "DELETE FROM rule_state WHERE rule = ANY($1::text[])"
_STANDINGS = (
    f"SELECT {', '.join(_STANDING)} FROM rule_state WHERE rule != '{_ROUND}' "  # noqa: S608 - as above
    'AND ($1::text[] IS NULL OR rule = ANY($1::text[])) ORDER BY rule COLLATE "C", subject COLLATE "C"'
)
_BEGIN = (
    f"INSERT INTO rule_state ({', '.join(_STANDING)}) "  # noqa: S608 - as above
    f"VALUES ({', '.join(f'${place + 1}' for place in range(len(_STANDING)))}) ON CONFLICT DO NOTHING RETURNING rule"
)
_CHANGED = _STANDING[2:]
_GO_ON = (
    f"UPDATE rule_state SET {', '.join(f'{name} = ${place + 5}' for place, name in enumerate(_CHANGED))} "  # noqa: S608 - as above
    "WHERE rule = $1 AND subject = $2 AND number = $3 AND looked_ns = $4 RETURNING rule"
)
_CLAIM = (
    f"INSERT INTO rule_state (rule, subject, state, since_ns, looked_ns) VALUES ('{_ROUND}', $1, '', 0, $2) "  # noqa: S608 - as above
    "ON CONFLICT (rule, subject) DO UPDATE SET looked_ns = excluded.looked_ns "
    "WHERE rule_state.looked_ns / $3::bigint < excluded.looked_ns / $3::bigint "
    f"OR rule_state.looked_ns > excluded.looked_ns + {CLOCK_BACK_NS} RETURNING rule"
)


class PostgresRules:
    """See `RuleStore` and `StandingStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rules(self) -> Sequence[RuleRecord]:
        """See `RuleStore`."""
        rows = await self._database.run(lambda connection: connection.fetch(_RULES))
        return [RuleRecord(**_read(_RULE, row)) for row in rows]

    async def put_rule(
        self, record: RuleRecord, audit: AuditEntry | None = None, *, new: bool = False
    ) -> bool:
        """See `RuleStore`."""
        values = _values(record, _RULE)

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                if await connection.fetchval(_ADD if new else _PUT, *values) is None:
                    return False
                await note(connection, audit)
            return True

        return await self._database.run(change)

    async def remove_rule(self, name: str, audit: AuditEntry | None = None) -> bool:
        """See `RuleStore`."""

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                found = await connection.fetchval(_REMOVE, kept(name)) is not None
                if found:
                    await connection.execute(_FORGET, [kept(f"rule:{name}")])
                    await note(connection, audit)
            return found

        return await self._database.run(change)

    async def standings(self, rules: Collection[str] | None = None) -> Sequence[Standing]:
        """See `StandingStore`."""
        names = None if rules is None else [kept(name) for name in rules]
        rows = await self._database.run(lambda connection: connection.fetch(_STANDINGS, names))
        return [Standing(**_read(_STANDING, row)) for row in rows]

    async def stand(self, changes: Sequence[tuple[Standing, Standing]]) -> Sequence[bool]:
        """See `StandingStore`."""

        async def change(connection: Connection) -> list[bool]:
            async with connection.transaction():
                # In one order on every node: two that change the same rows must not wait for each other.
                order = sorted(
                    range(len(changes)), key=lambda at: (changes[at][0].rule, changes[at][0].subject)
                )
                done = {at: await _stand(connection, *changes[at]) for at in order}
            return [done[at] for at in range(len(changes))]

        return await self._database.run(change) if changes else []

    async def forget(self, rules: Collection[str]) -> None:
        """See `StandingStore`."""
        names = [kept(name) for name in rules]
        await self._database.run(lambda connection: connection.execute(_FORGET, names))

    async def claim_round(self, name: str, now_ns: int, every_ns: int) -> bool:
        """See `StandingStore`."""
        found = await self._database.run(
            lambda connection: connection.fetchval(_CLAIM, kept(name), now_ns, every_ns)
        )
        return found is not None


async def _stand(connection: Connection, before: Standing, after: Standing) -> bool:
    if not before.looked_ns:
        return await connection.fetchval(_BEGIN, *_values(after, _STANDING)) is not None
    which = (kept(before.rule), kept(before.subject), before.number, before.looked_ns)
    return await connection.fetchval(_GO_ON, *which, *_values(after, _CHANGED)) is not None


def _values(record: RuleRecord | Standing, names: Sequence[str]) -> list[Any]:
    values = (getattr(record, name) for name in names)
    return [kept(value) if isinstance(value, str) else value for value in values]


def _read(names: Sequence[str], row: Sequence[Any]) -> dict[str, Any]:
    return {
        name: read(value) if isinstance(value, str) else value for name, value in zip(names, row, strict=True)
    }
