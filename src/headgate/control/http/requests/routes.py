"""Everything that is served under `/api/requests`."""

from __future__ import annotations

from headgate.control.http.requests import listing, one
from headgate.control.http.route import Route

__all__ = ["ROUTES"]


ROUTES: tuple[Route, ...] = (*listing.ROUTES, *one.ROUTES)
