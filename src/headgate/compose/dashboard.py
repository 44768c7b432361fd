"""The dashboard, over what a gateway keeps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from headgate.admission.ring import KeyRing
from headgate.compose.stores import Stores
from headgate.config.model import Settings
from headgate.control.http.route import Desk
from headgate.control.signing import SignIn
from headgate.core.clock import Clock
from headgate.core.ids import IdSource
from headgate.dashboard.entrance import Entrances
from headgate.dashboard.oidc import Oidc
from headgate.dashboard.pages import ALL
from headgate.dashboard.settings import DashboardSettings
from headgate.dashboard.site import Site
from headgate.dashboard.visitors import Visitors, new_secret
from headgate.exchange.caller import Caller
from headgate.providers.port import Upstream

__all__ = ["Dashboard"]


class Running(Protocol):
    """What is asked of a gateway."""

    @property
    def configuration(self) -> Any: ...


class Dashboard:
    """The pages of one gateway, and `/metrics`: `site` is served."""

    def __init__(
        self,
        gateway: Running,
        desk: Desk,
        stores: Stores,
        ring: KeyRing,
        caller_of: Callable[[bytes], Caller | None],
        *,
        ids: IdSource,
        clock: Clock,
        upstream: Upstream,
        metrics: Callable[[], bytes],
    ) -> None:
        """upstream: how an identity provider is reached. Raises ValueError as `prepared` does."""
        self._gateway = gateway
        self._upstream = upstream
        self._oidc: Oidc | None = None
        self.prepared(gateway.configuration.settings)()
        signing = SignIn(stores.people, stores.audit, lambda: ring, clock, limits=self._limits)
        entrances = Entrances(
            signing,
            oidc=lambda: self._oidc,
            address=lambda: self._settings.address,
            secret=stores.keys.secret,
        )
        visitors = Visitors(caller_of, signing.caller, new_secret(), lambda: self._settings.local)
        self.site = Site(desk, visitors, pages=ALL, ids=ids, entrances=entrances.table(), metrics=metrics)

    def prepared(self, settings: Settings) -> Callable[[], None]:
        """Have people sign in by these settings, once that is called. Raises ValueError if they cannot be met."""
        wanted = settings.dashboard.oidc
        if wanted is None:
            made = None
        elif self._oidc is not None and self._oidc.settings == wanted:
            made = self._oidc
        else:
            made = Oidc(wanted, self._upstream)

        def use() -> None:
            self._oidc = made

        return use

    @property
    def _settings(self) -> DashboardSettings:
        found: DashboardSettings = self._gateway.configuration.settings.dashboard
        return found

    def _limits(self) -> tuple[float, float]:
        return float(self._settings.idle), float(self._settings.longest)
