"""Judgements in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from headgate.stores.backends.memory import MemorySpans
from headgate.stores.score_questions import before_question, filled, is_foreign, is_new
from headgate.stores.scores import (
    SCORE_PARTS,
    WAIT_NS,
    Fate,
    Joined,
    Judged,
    ScoreRow,
    ScoreScope,
    ScoreSum,
    increments,
    table_for,
)

__all__ = ["MemoryScores"]


class MemoryScores:
    """See `ScoreStore`."""

    def __init__(self, spans: MemorySpans) -> None:
        self._spans = spans
        self._rows: dict[int, ScoreRow] = {}
        self._last = 0
        self._sums: dict[tuple[int | str, ...], tuple[int, float, float]] = {}

    async def add(self, rows: Sequence[ScoreRow], now_ns: int) -> Sequence[Fate]:
        """See `ScoreStore`."""
        return [await self._add(row, now_ns) for row in rows]

    async def _add(self, row: ScoreRow, now_ns: int) -> Fate:
        if any(each.event == row.event for each in self._rows.values()):
            return "repeated"
        target = await self._target(row)
        if target is None and not is_new(row, now_ns):
            return "unknown"
        if target is not None and is_foreign(row, target):
            return "foreign"
        self._last += 1
        kept = replace(row, id=self._last)
        self._rows[kept.id] = kept
        if target is None:
            return "waiting"
        self._count(filled(kept, target))
        return "joined"

    async def join(self, now_ns: int, limit: int = 500) -> Joined:
        """See `ScoreStore`."""
        joined: list[ScoreRow] = []
        foreign = 0
        waiting = [row for row in self._rows.values() if not row.joined and row.at_ns >= now_ns - WAIT_NS]
        for row in waiting:
            target = await self._target(row)
            if target is None or len(joined) + foreign >= limit:
                continue
            if is_foreign(row, target):
                del self._rows[row.id]
                foreign += 1
            else:
                kept = filled(row, target)
                self._count(kept)
                joined.append(kept)
        return Joined(joined, foreign)

    async def alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        return sum(not row.joined and row.at_ns < before_ns for row in self._rows.values())

    async def forget_alone(self, before_ns: int) -> int:
        """See `ScoreStore`."""
        gone = [row.id for row in self._rows.values() if not row.joined and row.at_ns < before_ns]
        for number in gone:
            del self._rows[number]
        return len(gone)

    async def about(self, request_ids: Sequence[int]) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        return [row for row in self._rows.values() if row.request_id and row.request_id in request_ids]

    async def before(
        self, score_id: int, limit: int, *, since_ns: int = 0, only: Mapping[str, str | int] = {}
    ) -> Sequence[ScoreRow]:
        """See `ScoreStore`."""
        before_question(score_id, limit, since_ns, only, str)  # refuses what cannot be asked
        found = [
            row
            for row in reversed(self._rows.values())
            if (not score_id or row.id < score_id)
            and row.at_ns >= since_ns
            and all(getattr(row, name) == value for name, value in only.items())
        ]
        return found[:limit]

    async def added_up(
        self, scope: ScoreScope, *, step: int = 0, by: Sequence[str] = ()
    ) -> Sequence[ScoreSum]:
        """See `ScoreStore`."""
        table, since, until = table_for(scope, step, by)
        found: dict[tuple[int, tuple[str, ...]], list[tuple[int, float, float]]] = defaultdict(list)
        for (seconds, at, *values), sums in self._sums.items():
            parts = dict(zip(SCORE_PARTS, map(str, values), strict=True))
            if (
                seconds == table
                and since <= int(at) < until
                and all(parts[name] == value for name, value in scope.only.items())
            ):
                place = int(at) - int(at) % step if step else scope.since
                found[place, tuple(parts[name] for name in by)].append(sums)
        added = [
            ScoreSum(
                at=at,
                group=group,
                scores=sum(each[0] for each in sums),
                total=sum(each[1] for each in sums),
                squares=sum(each[2] for each in sums),
            )
            for (at, group), sums in found.items()
            if sum(each[0] for each in sums)
        ]
        return sorted(added, key=lambda each: (each.at, each.group))

    async def lowest(
        self,
        name: str,
        since_ns: int,
        *,
        by: Literal["request", "session"] = "request",
        limit: int = 20,
        feature: str = "",
    ) -> Sequence[Judged]:
        """See `ScoreStore`."""
        groups: dict[object, list[ScoreRow]] = defaultdict(list)
        for row in self._rows.values():
            target = row.request_id if by == "request" else row.session
            if (
                row.joined
                and row.number is not None
                and row.name == name
                and row.at_ns >= since_ns
                and feature in ("", row.feature)
                and target
                and self._latest(row) is None
            ):
                groups[target].append(row)
        found = [_judged(rows) for rows in groups.values()]
        return sorted(found, key=lambda each: (each.mean, -each.at_ns))[:limit]

    def _count(self, row: ScoreRow) -> None:
        self._rows[row.id] = row
        before = self._latest(row, older=True)
        if self._latest(row) is not None:
            return
        for key, scores, total, squares in increments(row, before):
            now = self._sums.get(key, (0, 0.0, 0.0))
            self._sums[key] = (now[0] + scores, now[1] + total, now[2] + squares)

    def _latest(self, row: ScoreRow, *, older: bool = False) -> ScoreRow | None:
        """The latest of the same author about the same that is newer, or older."""
        found = [
            each
            for each in self._rows.values()
            if each.joined
            and _identity(each) == _identity(row)
            and (each.id < row.id if older else each.id > row.id)
        ]
        return found[-1] if found else None

    async def _target(self, row: ScoreRow) -> tuple[str, ...] | None:
        rows = reversed((await self._spans.latest(1_000_000)).rows)
        for each in rows:
            target = (
                each.key_id,
                each.team,
                each.session,
                each.feature,
                each.routed_model,
                each.provider,
                each.prompt,
                each.user,
            )
            if (
                each.id == row.request_id
                if row.request_id
                else (each.session == row.session and not is_foreign(row, target))
            ):
                return target
        return None


def _identity(row: ScoreRow) -> tuple[object, ...]:
    target = row.request_id or row.session
    return (target, row.name, row.source, row.author, row.evaluator)


def _judged(rows: Sequence[ScoreRow]) -> Judged:
    numbers = [row.number for row in rows if row.number is not None]
    return Judged(
        request_id=max(row.request_id for row in rows),
        session=max(row.session for row in rows),
        scores=len(numbers),
        mean=sum(numbers) / len(numbers),
        at_ns=max(row.at_ns for row in rows),
        feature=max(row.feature for row in rows),
        model=max(row.model for row in rows),
        prompt=max(row.prompt for row in rows),
    )
