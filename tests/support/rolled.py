"""Rollups in memory, filled by saying what happened."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from headgate.core.sketch import Sketch
from headgate.stores.rollups import (
    FAILURE_PARTS,
    HOUR,
    MINUTE,
    PARTS,
    SUMS,
    Ages,
    Failed,
    Gauge,
    Mark,
    Rolled,
    Scope,
    SessionRow,
    Spent,
)
from headgate.stores.scores import ScoreRow, ScoreScope, ScoreSum

__all__ = ["FakeRollups", "FakeScores"]


class FakeRollups:
    """See `RollupStore`; keeps minutes."""

    def __init__(self) -> None:
        self.rows: list[tuple[Mapping[str, str], Rolled]] = []
        self.kept_gauges: list[Gauge] = []
        self.failed: list[tuple[int, tuple[str, str, str], int]] = []
        self.asked: list[tuple[Scope, int, tuple[str, ...], frozenset[str]]] = []

    def happen(
        self,
        at: int,
        requests: int = 1,
        spread: Mapping[str, float] = MappingProxyType({}),
        *,
        feature: str = "shop",
        model: str = "small",
        provider: str = "sim",
        outcome: str = "ok",
        purpose: str = "",
        error: str = "",
        sums: Mapping[str, int] = MappingProxyType({}),
    ) -> None:
        """So many requests in the minute of `at`. spread: names of sketches, each request has this value."""
        sketches = {name: Sketch() for name in spread}
        for name, value in spread.items():
            for _ in range(requests):
                sketches[name].add(value)
        parts = {
            "feature": feature,
            "model": model,
            "provider": provider,
            "outcome": outcome,
            "purpose": purpose,
        }
        row = Rolled(at=at // MINUTE * MINUTE, requests=requests, sketches=sketches)
        for name, number in sums.items():
            setattr(row, name, number)
        if "cost_nanos" in spread and "cost_nanos" not in sums:
            row.cost_nanos = round(spread["cost_nanos"]) * requests
        self.rows.append((parts, row))
        if error:
            self.failed.append((at // HOUR * HOUR, (feature, model, error), requests))

    async def rolled(
        self, scope: Scope, *, step: int = 0, by: Sequence[str] = (), sketches: Collection[str] = ()
    ) -> Sequence[Rolled]:
        """See `RollupStore`."""
        assert set(by) <= set(PARTS)
        self.asked.append((scope, step, tuple(by), frozenset(sketches)))
        found: dict[tuple[int, tuple[str, ...]], Rolled] = {}
        for parts, row in self.rows:
            if not scope.since <= row.at < scope.until or parts["purpose"] != (scope.purpose or ""):
                continue
            if any(parts[name] != value for name, value in scope.only.items()):
                continue
            at = row.at // step * step if step else scope.since
            group = tuple(parts[name] for name in by)
            one = found.setdefault((at, group), Rolled(at=at, group=group, sketches={}))
            for name in SUMS:
                setattr(one, name, getattr(one, name) + getattr(row, name))
            for name in sketches:
                if name in row.sketches:
                    one.sketches.setdefault(name, Sketch()).merge([row.sketches[name]])
        return [found[key] for key in sorted(found)]

    async def failures(
        self,
        since: int,
        until: int,
        *,
        step: int = 0,
        by: Sequence[str] = FAILURE_PARTS,
        only: Mapping[str, str] = {},
    ) -> Sequence[Failed]:
        """See `RollupStore`."""
        found: dict[tuple[int, tuple[str, ...]], int] = defaultdict(int)
        for at, values, requests in self.failed:
            parts = dict(zip(FAILURE_PARTS, values, strict=True))
            if since <= at < until and all(parts[name] == value for name, value in only.items()):
                found[at // step * step if step else since, tuple(parts[name] for name in by)] += requests
        return [Failed(at=at, group=group, requests=n) for (at, group), n in sorted(found.items())]

    async def gauges(self, name: str, since: int, until: int) -> Sequence[Gauge]:
        """See `RollupStore`."""
        found = [each for each in self.kept_gauges if each.name == name and since <= each.at < until]
        return sorted(found, key=lambda each: each.at)

    async def spent(self, *_: Any, **__: Any) -> Sequence[Spent]:
        """Nothing is kept of that."""
        return []

    async def dimensions(self, since: int, until: int) -> Sequence[str]:
        """Nothing is kept of that."""
        return []

    async def sessions(self, **_: Any) -> Sequence[SessionRow]:
        """Nothing is kept of that."""
        return []

    async def marks(self, since_ns: int, until_ns: int, limit: int = 200) -> Sequence[Mark]:
        """Nothing is kept of that."""
        return []

    async def add_marks(self, marks: Sequence[Mark]) -> None:
        """Nothing is kept of that."""

    async def sweep(self, ages: Ages, limit: int = 2_000) -> int:
        """Nothing is ever old."""
        return 0

    async def add_gauges(self, gauges: Sequence[Gauge]) -> None:
        """See `RollupStore`."""
        self.kept_gauges.extend(gauges)


class FakeScores:
    """Of a score store what is asked by whoever watches: sums."""

    def __init__(self) -> None:
        self.given: list[tuple[int, Mapping[str, str], float, int]] = []

    def judge(
        self,
        at: int,
        mean: float,
        scores: int,
        *,
        name: str = "thumbs",
        feature: str = "shop",
        model: str = "small",
    ) -> None:
        """So many scores of this mean in the hour of `at`."""
        parts = {"name": name, "feature": feature, "model": model}
        self.given.append((at // HOUR * HOUR, parts, mean * scores, scores))

    async def about(self, request_ids: Sequence[int]) -> Sequence[ScoreRow]:
        """Nothing is kept of that."""
        return []

    async def added_up(
        self, scope: ScoreScope, *, step: int = 0, by: Sequence[str] = ()
    ) -> Sequence[ScoreSum]:
        """See `ScoreStore`."""
        since, until = scope.since // HOUR * HOUR, -(-scope.until // HOUR) * HOUR
        found: dict[tuple[int, tuple[str, ...]], ScoreSum] = {}
        for at, parts, total, scores in self.given:
            if since <= at < until and all(parts[name] == value for name, value in scope.only.items()):
                key = (at // step * step if step else since, tuple(parts[name] for name in by))
                one = found.get(key, ScoreSum(at=key[0], group=key[1]))
                # As of thumbs: yes and no.
                found[key] = ScoreSum(
                    at=key[0],
                    group=key[1],
                    scores=one.scores + scores,
                    total=one.total + total,
                    squares=one.squares + total,
                )
        return [found[key] for key in sorted(found)]
