"""Everything that is served under `/api/cache`."""

from __future__ import annotations

from headgate.control.http.cache import clearing, entries, judging, overview, report, warming
from headgate.control.http.route import Route

__all__ = ["ROUTES"]


ROUTES: tuple[Route, ...] = (
    *overview.ROUTES,
    *report.ROUTES,
    *entries.ROUTES,
    *judging.ROUTES,
    *clearing.ROUTES,
    *warming.ROUTES,
)
