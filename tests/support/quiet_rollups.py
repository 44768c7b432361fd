"""Rollups of an installation where nothing has happened, unless a test says what."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from headgate.stores.rollups import (
    FAILURE_PARTS,
    Ages,
    Failed,
    Gauge,
    Mark,
    Rolled,
    Scope,
    SessionRow,
    Spent,
)

__all__ = ["QuietRollups"]


class QuietRollups:
    """The reading side of `RollupStore`: tells what it was given, whatever is asked."""

    def __init__(
        self,
        *,
        rolled: Sequence[Rolled] = (),
        failed: Sequence[Failed] = (),
        marks: Sequence[Mark] = (),
    ) -> None:
        self.told = list(rolled)
        self.failed = list(failed)
        self.noted = list(marks)
        self.measured: list[Gauge] = []
        self.scopes: list[Scope] = []

    async def rolled(
        self, scope: Scope, *, step: int = 0, by: Sequence[str] = (), sketches: Collection[str] = ()
    ) -> Sequence[Rolled]:
        self.scopes.append(scope)
        return self.told

    async def spent(
        self,
        dimension: str,
        since: int,
        until: int,
        *,
        step: int = 0,
        limit: int = 100,
        values: Sequence[str] = (),
    ) -> Sequence[Spent]:
        return ()

    async def dimensions(self, since: int, until: int) -> Sequence[str]:
        return ()

    async def failures(
        self,
        since: int,
        until: int,
        *,
        step: int = 0,
        by: Sequence[str] = FAILURE_PARTS,
        only: Mapping[str, str] = {},
    ) -> Sequence[Failed]:
        return self.failed

    async def sessions(
        self, *, before_ns: int = 0, before: str = "", limit: int = 50, only: Mapping[str, str] = {}
    ) -> Sequence[SessionRow]:
        return ()

    async def marks(self, since_ns: int, until_ns: int, limit: int = 200) -> Sequence[Mark]:
        return self.noted

    async def add_marks(self, marks: Sequence[Mark]) -> None:
        self.noted.extend(marks)

    async def gauges(self, name: str, since: int, until: int) -> Sequence[Gauge]:
        return self.measured

    async def add_gauges(self, gauges: Sequence[Gauge]) -> None:
        self.measured.extend(gauges)

    async def sweep(self, ages: Ages, limit: int = 2_000) -> int:
        return 0
