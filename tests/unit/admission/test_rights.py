"""The table of rights: every route is in it, and it says what it should."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.admission.rights import CONTENT, DASHBOARD, OPEN, RIGHTS, ROLES, allowed_roles, routes_of
from headgate.control.http.routes import ROUTES
from headgate.edge.paths import Paths

__all__: list[str] = []

HOW_TO = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "give-access.md"
ASK = {
    "owner": True,
    "operator": True,
    "developer": True,
    "reviewer": False,
    "viewer": False,
    "service": True,
}
SEE = {"owner": True, "operator": True, "developer": True, "reviewer": True, "viewer": True, "service": False}
RUN = dict.fromkeys(ROLES, False) | {"owner": True, "operator": True}
EXPECTED = {
    "openai.chat": ASK,
    "openai.responses": ASK,
    "openai.embeddings": ASK,
    "openai.models": ASK,
    "anthropic.messages": ASK,
    "anthropic.count_tokens": ASK,
    "anthropic.models": ASK,
    DASHBOARD: SEE,
    CONTENT: dict.fromkeys(ROLES, False) | {"owner": True, "reviewer": True},
    "api.me": dict.fromkeys(ROLES, True),
    "api.config.show": SEE,
    "api.keys.list": RUN,
    "api.people.list": RUN,
    "api.people.add": RUN,
    "api.people.change": RUN,
    "api.people.password": RUN,
    "api.keys.create": RUN,
    "api.keys.show": RUN,
    "api.keys.revoke": RUN,
    "api.keys.rotate": RUN,
    "api.audit.list": RUN,
    "api.requests.list": SEE,
    "api.requests.show": SEE,
    "api.costs.show": SEE,
    "api.budgets.list": SEE,
    "api.budgets.deposit": RUN,
    "api.ledger.list": SEE,
    "api.alerts.list": SEE,
    "api.receivers.list": RUN,
    "api.receivers.add": RUN,
    "api.receivers.remove": RUN,
    "api.secrets.list": RUN,
    "api.secrets.give": RUN,
    "api.secrets.remove": RUN,
    "api.feedback.give": ASK,
    "api.feedback.list": SEE,
    "api.feedback.token": ASK,
    "api.scores.add": ASK,
    "api.quality.show": SEE,
    "api.quality.worst": SEE,
    "api.quality.changes": SEE,
    "api.cache.show": SEE,
    "api.cache.report": SEE,
    "api.cache.entries": SEE,
    "api.cache.entry": SEE,
    "api.cache.asked": SEE,
    "api.cache.clear": RUN,
    "api.cache.wrong": RUN | {"reviewer": True},
    "api.cache.warm": RUN,
    "api.rehearsals.list": SEE,
    "api.rehearsals.start": RUN,
    "api.rehearsals.stop": RUN,
    "api.contracts.list": SEE,
    "api.errors.list": SEE,
    "api.exports.requests": SEE,
    "api.rules.add": RUN,
    "api.rules.list": SEE,
    "api.rules.metrics": SEE,
    "api.rules.pause": RUN,
    "api.rules.preview": SEE,
    "api.rules.remove": RUN,
    "api.sessions.list": SEE,
    "api.sessions.show": SEE,
    "api.users.forget": dict.fromkeys(ROLES, False) | {"owner": True},
    "api.replays.list": SEE,
    "api.replays.show": dict.fromkeys(ROLES, False) | {"owner": True, "reviewer": True},
    "api.replays.start": dict.fromkeys(ROLES, False) | {"owner": True},
}


def dialects() -> set[str]:
    """Every dialect that a path under /v1 speaks."""
    paths = Paths()
    anthropic = [(b"anthropic-version", b"2023-06-01")]
    found = {dialect.name for dialect in paths.known.values()}
    for path in ("/v1/models", "/v1/models/small", "/v1/nowhere"):
        found |= {paths.dialect("GET", path, headers).name for headers in ([], anthropic)}
    return found


def test_the_table_has_no_gap() -> None:
    """Whoever adds a path has to say who may reach it; and nothing is in the table that is not there."""
    served = dialects() | {DASHBOARD, CONTENT} | {route.name for route in ROUTES}
    assert set(RIGHTS) == served == set(EXPECTED)


@pytest.mark.parametrize("route", EXPECTED)
@pytest.mark.parametrize("role", ROLES)
def test_each_role_reaches_what_it_should(role: str, route: str) -> None:
    """All of them, one by one."""
    assert (route in routes_of([role])) is EXPECTED[route][role]
    assert (role in allowed_roles(route)) is EXPECTED[route][role]


def test_what_is_not_in_the_table_is_for_nobody() -> None:
    """Neither a route nor a role; nor is somebody without a role."""
    assert all("/api/keys" not in routes_of([role]) for role in ROLES)
    assert allowed_roles("/api/keys") == ()
    assert routes_of(["god", "Owner", ""]) == routes_of([]) == frozenset()


def test_several_roles_reach_what_any_of_them_does() -> None:
    """Never less."""
    assert routes_of(["service", "viewer"]) == routes_of(["service"]) | routes_of(["viewer"])
    assert routes_of(["viewer", "god"]) == routes_of(["viewer"])


def test_what_asks_for_two_rights_may_be_reached_by_two_roles() -> None:
    """One of them asks models, the other reads content."""
    assert "api.replays.start" in routes_of(["developer", "reviewer"])
    assert "api.replays.start" not in routes_of(["developer", "viewer"])
    assert "api.replays.start" not in routes_of(["reviewer", "viewer"])


def test_every_role_says_what_it_is_for() -> None:
    """And stands in some row."""
    assert all(purpose.endswith(".") for purpose in ROLES.values())
    assert {role for roles in RIGHTS.values() for role in roles} == set(ROLES)


def test_the_page_shows_the_table() -> None:
    """Rows of `docs/how-to/give-access.md`, role by role."""
    rows = [line for line in HOW_TO.read_text().splitlines() if line.startswith("| `")]
    told = {row.split("`")[1]: [cell.strip() for cell in row.strip("|").split("|")][1:3] for row in rows}
    assert told == {role: ["yes" if ASK[role] else "no", "yes" if SEE[role] else "no"] for role in ROLES}
    assert all(each.partition(" ")[2] in HOW_TO.read_text() for each in OPEN)
