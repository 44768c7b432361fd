"""Everything that is served under `/api`. A noun adds its module here and its names to `admission.rights`."""

from __future__ import annotations

from headgate.control.http import (
    alerts,
    audit,
    budgets,
    configuration,
    contracts,
    costs,
    exports,
    keys,
    ledger,
    me,
    rehearsals,
    replays,
    requests,
    rules,
    secrets,
)
from headgate.control.http.route import Route

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    *me.ROUTES,
    *configuration.ROUTES,
    *keys.ROUTES,
    *audit.ROUTES,
    *requests.ROUTES,
    *exports.ROUTES,
    *costs.ROUTES,
    *budgets.ROUTES,
    *ledger.ROUTES,
    *alerts.ROUTES,
    *rules.ROUTES,
    *contracts.ROUTES,
    *secrets.ROUTES,
    *rehearsals.ROUTES,
    *replays.ROUTES,
)
