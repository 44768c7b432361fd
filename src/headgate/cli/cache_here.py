"""`headgate cache warm` without `--url`: a gateway of its own, which nobody else can reach, asks."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

from headgate.cli.gateway_process import running
from headgate.cli.output import fail
from headgate.cli.replay import caller_named, until_ready
from headgate.compose.gateway import Gateway
from headgate.compose.stores import open_stores
from headgate.compose.warming import GatewayMemory
from headgate.config.model import Configuration
from headgate.control.cache.asked import most_asked
from headgate.control.cache.warming import Asking, CannotWarm, warm
from headgate.control.http.cache.memory import feature_settings
from headgate.control.http.cache.warming import WarmedTold, warmed_told
from headgate.control.http.moments import ago_ns
from headgate.control.http.problems import Problem
from headgate.core.ids import request_id_text
from headgate.core.money import nanos
from headgate.exchange.caller import Caller
from headgate.quality.replay.capping import SpendCap

__all__ = ["warmer_here"]


@asynccontextmanager
async def warmer_here(configuration: Configuration, feature: str, key: str | None) -> AsyncIterator[_Warmer]:
    """key: the name of the key that pays."""
    stores = open_stores(configuration.settings)
    try:
        # Before anything is started: an empty database would get its first key from us, and nobody would see it.
        caller = caller_named(await stores.keys.all(), key)
    finally:
        await stores.aclose()
    async with running(configuration, bootstrap_key=None) as gateway:
        await until_ready(gateway)
        yield _Warmer(gateway, feature, caller)


class _Warmer:
    """Fulfils `cache_campaign.Warmer`."""

    def __init__(self, gateway: Gateway, feature: str, caller: Caller) -> None:
        found = feature_settings(gateway.configuration.settings)[feature]
        assert found is not None, "it was looked at before"
        self._gateway, self._caller, self._settings = gateway, caller, found

    async def asked(self, feature: str, since: str, count: int) -> list[tuple[str, int]]:
        """See `Warmer`."""
        try:
            begin = ago_ns(since, "--since")
        except Problem as wrong:
            fail(wrong.detail, code=2)
        found = await most_asked(self._gateway.spans, feature, self._settings, begin, count)
        return [(request_id_text(each.request), each.times) for each in found]

    async def one(
        self, feature: str, item: dict[str, Any], left: Decimal, *, like: str, estimate_only: bool
    ) -> WarmedTold:
        """See `Warmer`."""
        gateway = self._gateway
        try:
            done = await warm(
                gateway.spans,
                gateway.replaying,
                GatewayMemory(gateway.caching),
                Asking(**item),
                self._caller,
                feature=feature,
                settings=self._settings,
                cap=SpendCap(nanos(left)),
                like=like,
                estimate_only=estimate_only,
            )
        except CannotWarm as wrong:
            fail(str(wrong), code=2)
        return warmed_told(done)
