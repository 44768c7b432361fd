"""`headgate cache warm --url`: a running gateway asks, and the key in HEADGATE_KEY pays."""

from __future__ import annotations

import asyncio
import json
import os
import urllib.error
import urllib.request
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from headgate.cli.output import fail
from headgate.cli.replay_remote import KEY
from headgate.control.http.cache.warming import WarmedTold

__all__ = ["RemoteWarmer"]

_SECONDS = 600.0


class RemoteWarmer:
    """Fulfils `cache_campaign.Warmer`, over HTTP."""

    def __init__(self, url: str) -> None:
        if not url.startswith(("http://", "https://")):
            fail("--url: write http://HOST:PORT", code=2)
        self._url = url.rstrip("/")
        self._key = os.environ.get(KEY, "")
        if not self._key:
            fail(f"--url asks a running gateway: put a key that may do this into {KEY}", code=2)

    async def asked(self, feature: str, since: str, count: int) -> list[tuple[str, int]]:
        """See `Warmer`."""
        query = urlencode({"feature": feature, "since": since, "limit": count})
        told = await asyncio.to_thread(self._ask, f"/api/cache/asked?{query}", None)
        return [(each["request"], each["times"]) for each in told["items"]]

    async def one(
        self, feature: str, item: dict[str, Any], left: Decimal, *, like: str, estimate_only: bool
    ) -> WarmedTold:
        """See `Warmer`."""
        body = {
            "feature": feature,
            "items": [item],
            "max_usd": f"{left:.9f}",
            "like": like,
            "estimate_only": estimate_only,
        }
        if left <= 0:
            return WarmedTold(outcome="capped", key="", request="", cost_usd="0", most_usd=None, why="")
        [told] = (await asyncio.to_thread(self._ask, "/api/cache/warm", body))["items"]
        return WarmedTold(**told)

    def _ask(self, path: str, body: dict[str, Any] | None) -> Any:
        request = urllib.request.Request(  # noqa: S310 - http and https only
            f"{self._url}{path}",
            None if body is None else json.dumps(body).encode(),
            {"authorization": f"Bearer {self._key}", "content-type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS) as reply:  # noqa: S310 - as above
                return json.load(reply)
        except urllib.error.HTTPError as refused:
            fail(f"{_detail(refused)} ({refused.code})", code=2 if refused.code == 400 else 1)
        except (urllib.error.URLError, TimeoutError, OSError) as failure:
            fail(f"{self._url}: {getattr(failure, 'reason', failure)}")


def _detail(refused: urllib.error.HTTPError) -> str:
    try:
        return str(json.load(refused)["detail"])
    except (ValueError, KeyError, TypeError):
        return str(refused.reason)
