"""`/settings`: the configuration that serves, whether it is the one on disk, and what it runs on."""

from __future__ import annotations

from headgate.control.http.audit import AuditQuery, list_changes
from headgate.dashboard.looking import Looking, Shown, page

__all__ = ["PAGES"]


async def show(asked: Looking) -> Shown:
    """Settings, and what changed them."""
    about = await asked.desk.about()
    changes = []
    if asked.viewer.may("api.audit.list"):
        found = await list_changes(asked.asked(AuditQuery(limit=1000)))
        changes = [each for each in found.items if each.action == "config.change"][:20]
    return Shown("settings.html", {"title": "Settings", "about": about, "changes": changes})


PAGES = (page("GET", "/settings", "api.config.show", show),)
