"""Everything that is served under `/api`. A noun adds its module here and its names to `admission.rights`."""

from __future__ import annotations

from headgate.control.http import (
    alerts,
    audit,
    budgets,
    configuration,
    contracts,
    costs,
    errors,
    exports,
    feedback,
    forget,
    keys,
    ledger,
    me,
    people,
    quality,
    rehearsals,
    replays,
    rules,
    scores,
    secrets,
    sessions,
)
from headgate.control.http.cache import routes as cache
from headgate.control.http.requests import routes as requests
from headgate.control.http.route import Route

__all__ = ["ROUTES"]

ROUTES: tuple[Route, ...] = (
    *me.ROUTES,
    *configuration.ROUTES,
    *keys.ROUTES,
    *people.ROUTES,
    *audit.ROUTES,
    *requests.ROUTES,
    *exports.ROUTES,
    *sessions.ROUTES,
    *forget.ROUTES,
    *costs.ROUTES,
    *errors.ROUTES,
    *budgets.ROUTES,
    *ledger.ROUTES,
    *alerts.ROUTES,
    *rules.ROUTES,
    *contracts.ROUTES,
    *secrets.ROUTES,
    *feedback.ROUTES,
    *scores.ROUTES,
    *quality.ROUTES,
    *cache.ROUTES,
    *rehearsals.ROUTES,
    *replays.ROUTES,
)
