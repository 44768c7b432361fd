"""How far a long way back through time has come."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from headgate.stores.searching import Search

__all__ = ["progress_of"]

_EVERY = 50


@contextmanager
def progress_of(search: Search, limit: int, *, shown: bool) -> Iterator[Callable[[int, int], None]]:
    """Call what is given with the count and the moment (ns) that was reached.

    The bar is by count if there is a limit, by time if the search has a beginning, else it only counts."""
    if not shown:
        yield lambda _count, _moment: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    newest = min(search.until_ns, time.time_ns())
    total = limit or (newest - search.since_ns if search.since_ns else None)
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("requests", total=total)

        def step(count: int, moment_ns: int) -> None:
            if count % _EVERY == 1:
                reached = datetime.fromtimestamp(moment_ns / 1e9, tz=UTC)
                done = count if limit else newest - moment_ns
                bar.update(
                    task, completed=done, description=f"{count:,} requests, back to {reached:%Y-%m-%d %H:%M}"
                )

        yield step
