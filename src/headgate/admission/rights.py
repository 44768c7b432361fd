"""Who may reach what: one table, role by route. What is not in it, nobody may."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType

__all__ = ["CONTENT", "DASHBOARD", "OPEN", "RIGHTS", "ROLES", "SERVICE", "allowed_roles", "routes_of"]

SERVICE = "service"

ROLES: Mapping[str, str] = MappingProxyType(
    {
        "owner": "Whose installation it is; the first key is one.",
        "operator": "Runs the gateway.",
        "developer": "Builds with it: asks models, sees the dashboard.",
        "reviewer": "Reads what was asked and answered, and judges it; asks no model.",
        "viewer": "Sees the dashboard; asks no model.",
        SERVICE: "An application: asks models, sees nothing else.",
    }
)
"""Role -> what it is for."""

DASHBOARD = "dashboard"
"""The route of the pages at `/` and `/metrics`."""

CONTENT = "content"
"""Not a route: to read what was asked and answered, wherever a route tells it."""

OPEN = frozenset(
    {
        "GET /healthz",
        "GET /readyz",
        "GET /page.css",
        "GET /api/openapi.json",
        "GET /api/docs",
        "POST /feedback",
    }
)
"""Served to everybody, without a key: they tell nothing that is anybody's."""

_ASK = frozenset({"owner", "operator", "developer", SERVICE})
_SEE = frozenset({"owner", "operator", "developer", "reviewer", "viewer"})
_RUN = frozenset({"owner", "operator"})

RIGHTS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        # Under /v1 a route is called after the dialect that is spoken there: each has one of its own.
        "openai.chat": _ASK,
        "openai.responses": _ASK,
        "openai.embeddings": _ASK,
        "openai.models": _ASK,
        "anthropic.messages": _ASK,
        "anthropic.count_tokens": _ASK,
        "anthropic.models": _ASK,
        DASHBOARD: _SEE,
        CONTENT: frozenset({"owner", "reviewer"}),
        # Under /api a route is called after what is done there.
        "api.me": _SEE | {SERVICE},
        "api.config.show": _SEE,
        "api.keys.list": _RUN,
        "api.keys.create": _RUN,
        "api.keys.show": _RUN,
        "api.keys.revoke": _RUN,
        "api.keys.rotate": _RUN,
        "api.people.list": _RUN,
        "api.people.add": _RUN,
        "api.people.change": _RUN,
        "api.people.password": _RUN,
        "api.audit.list": _RUN,
        "api.requests.list": _SEE,
        "api.requests.show": _SEE,
        "api.sessions.list": _SEE,
        "api.sessions.show": _SEE,
        "api.exports.requests": _SEE,
        "api.users.forget": frozenset({"owner"}),
        "api.replays.list": _SEE,
        "api.replays.show": frozenset({"owner", "reviewer"}),
        "api.replays.start": frozenset({"owner"}),
        "api.costs.show": _SEE,
        "api.errors.list": _SEE,
        "api.budgets.list": _SEE,
        "api.budgets.deposit": _RUN,
        "api.ledger.list": _SEE,
        "api.alerts.list": _SEE,
        "api.rules.list": _SEE,
        "api.rules.add": _RUN,
        "api.rules.pause": _RUN,
        "api.rules.remove": _RUN,
        "api.rules.preview": _SEE,
        "api.rules.metrics": _SEE,
        "api.contracts.list": _SEE,
        "api.receivers.list": _RUN,
        "api.receivers.add": _RUN,
        "api.receivers.remove": _RUN,
        "api.secrets.list": _RUN,
        "api.secrets.give": _RUN,
        "api.secrets.remove": _RUN,
        "api.feedback.give": _ASK,
        "api.feedback.list": _SEE,
        "api.feedback.token": _ASK,
        "api.scores.add": _ASK,
        "api.quality.show": _SEE,
        "api.quality.worst": _SEE,
        "api.quality.changes": _SEE,
        "api.cache.show": _SEE,
        "api.cache.report": _SEE,
        "api.cache.entries": _SEE,
        "api.cache.entry": _SEE,
        "api.cache.asked": _SEE,
        "api.cache.clear": _RUN,
        "api.cache.wrong": _RUN | {"reviewer"},
        "api.cache.warm": _RUN,
        "api.rehearsals.list": _SEE,
        "api.rehearsals.start": _RUN,
        "api.rehearsals.stop": _RUN,
    }
)
"""Route -> the roles that may reach it. A path nobody serves counts as a listing of models: whoever may not ask is refused
before being told that nothing is there."""

_FOR_BOTH: Mapping[str, frozenset[str]] = MappingProxyType(
    {"api.replays.start": frozenset({"openai.chat", CONTENT})}
)
"""A route that asks for two rights at once: somebody may have one by one role and the other by another."""

_ROUTES: Mapping[str, frozenset[str]] = MappingProxyType(
    {role: frozenset(route for route, roles in RIGHTS.items() if role in roles) for role in ROLES}
)


def routes_of(roles: Iterable[str]) -> frozenset[str]:
    """All that somebody with these roles may reach. A role that is not known, of a newer Headgate perhaps, reaches nothing."""
    found = [_ROUTES[role] for role in roles if role in _ROUTES]
    # Nearly every key has one role: ten thousand keys share one set.
    if len(found) == 1:
        return found[0]
    together = frozenset().union(*found)
    return together | {route for route, needed in _FOR_BOTH.items() if needed <= together}


def allowed_roles(route: str) -> tuple[str, ...]:
    """The roles that may reach a route, in the order of ROLES; none for a route that is not in the table."""
    return tuple(role for role in ROLES if role in RIGHTS.get(route, frozenset()))
