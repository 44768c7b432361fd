"""What is asked most, letter for letter: what is worth fetching before anybody asks."""

from __future__ import annotations

from collections import defaultdict

import msgspec

from headgate.cache.settings import FeatureCacheSettings
from headgate.stores.searching import Search, Searching
from headgate.stores.spans import RequestRow

__all__ = ["MostAsked", "most_asked"]

_PAGE = 500
_MOST_LOOKED_AT = 100
"""Pages of requests."""


class MostAsked(msgspec.Struct, kw_only=True, frozen=True):
    """A request that came again and again."""

    request: int
    """The latest of them."""
    times: int
    last_ns: int


async def most_asked(
    records: Searching, feature: str, settings: FeatureCacheSettings, since_ns: int, count: int
) -> list[MostAsked]:
    """The requests of a feature that came most often, letter for letter, among those who share answers; the most frequent first. Those
    that came once are none. Looks at the latest fifty thousand. Raises StoreUnavailable."""
    search = Search(since_ns=since_ns, only={"feature": feature, "purpose": "", "outcome": "ok"})
    times: dict[tuple[str, ...], int] = defaultdict(int)
    latest: dict[tuple[str, ...], RequestRow] = {}
    before = 0
    for _ in range(_MOST_LOOKED_AT):
        page = await records.search(search, before=before, limit=_PAGE)
        for row in page.rows:
            if row.request_content:
                together = (row.request_content, row.dialect, *_sharing(row, settings))
                times[together] += 1
                latest.setdefault(together, row)
        before = page.next
        if not before:
            break
    ranked = sorted(times, key=lambda each: (-times[each], -latest[each].id))
    return [
        MostAsked(request=latest[each].id, times=times[each], last_ns=latest[each].started_ns)
        for each in ranked[:count]
        if times[each] > 1
    ]


def _sharing(row: RequestRow, settings: FeatureCacheSettings) -> tuple[str, ...]:
    if settings.scope == "feature":
        return (row.tenant,)
    if settings.scope == "team":
        return (row.tenant, row.team)
    return (row.tenant, row.team, row.user, "" if row.user else row.key_id)
