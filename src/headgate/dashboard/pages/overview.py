"""`/`: what is happening now."""

from __future__ import annotations

from headgate.admission.rights import DASHBOARD
from headgate.dashboard.looking import Looking, Shown, page

__all__ = ["PAGES"]


async def show(asked: Looking) -> Shown:
    """The overview of this moment."""
    return Shown("overview.html", {"title": "Overview", "now": await asked.desk.overview()})


PAGES = (page("GET", "/", DASHBOARD, show),)
