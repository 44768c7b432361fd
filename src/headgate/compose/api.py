"""The operators' HTTP face, over what a gateway keeps."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from headgate.compose.about import Abouts
from headgate.compose.budgets import budgets_of
from headgate.compose.caching import Caching
from headgate.compose.keys import KnownKeys
from headgate.compose.seeing import Seeing
from headgate.compose.stores import Stores
from headgate.compose.warming import GatewayMemory
from headgate.config.model import Settings
from headgate.config.secrets import stored_names
from headgate.control.http.app import Api
from headgate.control.http.route import Desk
from headgate.control.overview import Overviews
from headgate.control.replays import Sending
from headgate.core.ids import IdSource
from headgate.edge.gate import Gate
from headgate.exchange.caller import Caller
from headgate.providers.port import Endpoint
from headgate.stores.errors import StoreError
from headgate.stores.sealing import Sealer

__all__ = ["api_of", "desk_of"]

_REFRESH_SECONDS = 2.0


class Running(Protocol):
    """What is asked of a gateway."""

    @property
    def configuration(self) -> Any: ...

    @property
    def gate(self) -> Gate: ...

    @property
    def overviews(self) -> Overviews: ...

    @property
    def abouts(self) -> Abouts: ...

    def endpoints(self) -> Mapping[str, Sequence[Endpoint]]: ...

    @property
    def seeing(self) -> Seeing: ...

    @property
    def replaying(self) -> Sending: ...

    @property
    def caching(self) -> Caching: ...


def desk_of(gateway: Running, stores: Stores, known: KnownKeys) -> Desk:
    """What handlers of `/api` and pages work with."""
    return Desk(
        keys=stores.keys,
        audit=stores.audit,
        records=stores.spans,
        rehearsals=stores.rehearsals,
        ledger=stores.ledger,
        people=stores.people,
        alerts=stores.alerts,
        rollups=stores.rollups,
        rules=stores.rules,
        scores=gateway.seeing.quality.scores,
        secrets=stores.secrets,
        sealer=lambda: Sealer.from_environment(os.environ),
        secret_users=lambda name: _users(gateway.configuration.settings, name),
        budgets=lambda: budgets_of(gateway.configuration.settings),
        configuration=lambda: gateway.configuration,
        endpoints=gateway.endpoints,
        overview=gateway.overviews.now,
        about=gateway.abouts.now,
        replaying=gateway.replaying,
        memory=GatewayMemory(gateway.caching),
        forget=gateway.seeing.forgetting,
        changed=lambda: _refreshed(known),
    )


def api_of(gateway: Running, desk: Desk, caller_of: Callable[[bytes], Caller | None], ids: IdSource) -> Api:
    """`/api` of this gateway."""
    return Api(desk, caller_of=caller_of, ids=ids, stopping=lambda: gateway.gate.draining)


async def _refreshed(known: KnownKeys) -> None:
    """The change is made and its answer must not be lost: if this does not work soon, the next look will see it."""
    with contextlib.suppress(StoreError, TimeoutError):
        async with asyncio.timeout(_REFRESH_SECONDS):
            await known.refresh()


def _users(settings: Settings, name: str) -> list[str]:
    """The providers that name a secret."""
    return [provider for provider, each in settings.providers.items() if name in stored_names(each)]
