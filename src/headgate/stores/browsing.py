"""Looking back through requests, newest first, page by page. Each page reads a bounded part, whatever is looked for.

The SQL stands here once, plain enough for every engine; it holds names of our own fields and `?` for values.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from headgate.stores.spans import Page
from headgate.stores.totals import Which, condition_of

__all__ = ["ENDS", "READ_AT_ONCE", "Browsing", "older_page", "older_question"]

READ_AT_ONCE = 50_000
"""Requests a page is looked for in, at most: somebody who looks for what is not there must not read a year."""

ENDS = "SELECT (SELECT min(stored) FROM request), (SELECT max(stored) FROM request)"
"""The first and the last place there is."""


class Browsing(Protocol):
    """What a span store shows to whoever looks back."""

    async def before(self, position: int, limit: int, which: Which) -> Page:
        """Up to `limit` of these requests that were stored before `position`, newest first; 0: before now.

        The page's position is where the next one begins; 0 if this was the last. A page may hold less than `limit`, even
        nothing, and not be the last. Raises StoreUnavailable."""
        ...


def older_question(
    columns: str, ends: tuple[int | None, int | None], position: int, limit: int, which: Which
) -> tuple[str, list[Any]]:
    """The SQL and its values for a page. columns: what is read of a request, `stored` first. ends: what ENDS said."""
    top, floor = _part(ends, position)
    meant, values = condition_of(which, "")
    # Only names of our own fields go into this text.
    return (
        f"SELECT {columns} FROM request WHERE stored < ? AND stored >= ? AND {meant} ORDER BY stored DESC LIMIT ?",  # noqa: S608
        [top, floor, *values, limit],
    )


def older_page(
    ends: tuple[int | None, int | None], position: int, limit: int, found: Sequence[tuple[int, Any]]
) -> Page:
    """The page. found: (place, request), as the question's answer has them."""
    first = ends[0] or 0
    reached = found[-1][0] if len(found) == limit else _part(ends, position)[1]
    return Page(reached if reached > first else 0, [row for _, row in found])


def _part(ends: tuple[int | None, int | None], position: int) -> tuple[int, int]:
    first, last = ends[0] or 0, ends[1] or 0
    top = min(position or last + 1, last + 1)
    return top, max(top - READ_AT_ONCE, first)
