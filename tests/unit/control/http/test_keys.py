"""`/api/keys`: nobody hands out, takes over or takes away more than they have; every change is in the log."""

from __future__ import annotations

from typing import get_args

import pytest

from headgate.admission.keys import hash_key
from headgate.admission.rights import ROLES, routes_of
from headgate.control.http.fields import Role
from headgate.exchange.caller import Caller
from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []


def test_the_roles_that_can_be_given_are_the_roles_there_are() -> None:
    """The type and the table."""
    assert set(get_args(Role)) == set(ROLES)


@aio
async def test_a_key_is_made_shown_listed_rotated_and_revoked() -> None:
    """Under one id, and each step by its own name in the log, with who took it."""
    there = Operating()
    made = await there.ask(
        "POST", "/api/keys", {"name": "shop", "team": "web", "features": ["chat"], "expires": "90d"}
    )
    assert made.status == 201
    told = made.json
    assert made.headers["location"] == f"/api/keys/{told['id']}"
    assert (told["state"], told["roles"], told["features"], told["team"]) == (
        "valid",
        ["service"],
        ["chat"],
        "web",
    )
    assert told["expires"].endswith("Z") and told["last_used"] is None
    (record,) = await there.keys.all()
    assert record.hash == hash_key(told["key"].encode(), await there.keys.secret()).hex()

    shown = (await there.ask("GET", f"/api/keys/{told['id']}")).json
    assert shown == {name: value for name, value in told.items() if name != "key"}
    assert (await there.ask("GET", "/api/keys")).json == {"items": [shown], "next": None}

    turned = await there.ask("POST", f"/api/keys/{told['id']}/rotate", {"overlap": "1h"})
    assert turned.status == 200 and turned.json["id"] == told["id"] and turned.json["key"] != told["key"]
    assert len(turned.json["old_keys_until"]) == 1

    gone = await there.ask("DELETE", f"/api/keys/{told['id']}", key="operator")
    assert gone.json["state"] == "revoked" and gone.json["revoked"] is not None
    assert (await there.ask("GET", "/api/keys")).json["items"] == []
    assert (await there.ask("GET", "/api/keys?state=revoked")).json["items"] == [gone.json]
    for method, path in (("DELETE", ""), ("POST", "/rotate")):
        again = await there.ask(method, f"/api/keys/{told['id']}{path}")
        assert (again.status, again.code) == (409, "conflict")

    log = await there.audit.since(0, 10)
    assert [(each.actor, each.action) for each in log] == [
        ("api:key_owner", "key.create"),
        ("api:key_owner", "key.rotate"),
        ("api:key_operator", "key.revoke"),
    ]
    assert there.changes == 3


MAKES = {
    "owner": {"owner", "operator", "developer", "reviewer", "viewer", "service"},
    "operator": {"operator", "developer", "viewer", "service"},
}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("asking", ROLES)
def test_nobody_makes_rotates_or_revokes_a_key_with_more_rights_than_their_own(
    asking: str, role: str
) -> None:
    """An operator makes no owner, and does not become one by taking the owner's key over."""

    @aio
    async def run() -> None:
        there = Operating()
        may = role in MAKES.get(asking, set())
        made = await there.ask("POST", "/api/keys", {"name": "new", "roles": [role]}, key=asking)
        assert made.status == (201 if may else 403)
        there_is = (await there.ask("POST", "/api/keys", {"name": "old", "roles": [role]})).json["id"]
        turned = await there.ask("POST", f"/api/keys/{there_is}/rotate", key=asking)
        assert turned.status == (200 if may else 403)
        gone = await there.ask("DELETE", f"/api/keys/{there_is}", key=asking)
        assert gone.status == (200 if may else 403)
        if asking in MAKES and not may:
            assert "more rights than your own" in made.json["detail"]
            assert "operator, developer, viewer, service" in made.json["detail"]

    run()


@aio
async def test_roles_together_may_not_be_more_either() -> None:
    """Each of them is looked at."""
    there = Operating()
    made = await there.ask(
        "POST", "/api/keys", {"name": "x", "roles": ["viewer", "reviewer"]}, key="operator"
    )
    assert made.status == 403 and "content" in made.json["detail"]


@pytest.mark.parametrize(
    ("features", "models", "status"),
    [
        (["chat"], [], 201),
        (["chat", "search"], [], 403),
        ([], ["small"], 403),
        (["chat"], ["small"], 201),
        (["chat"], ["large"], 403),
        ([], [], 403),
    ],
)
def test_a_key_for_some_features_makes_keys_for_no_others(
    features: list[str], models: list[str], status: int
) -> None:
    """A key for everything would be more than it has."""

    @aio
    async def run() -> None:
        there = Operating()
        there.callers["bound"] = Caller(
            key_id="key_b",
            roles=("operator",),
            routes=routes_of(["operator"]),
            features=("chat",),
            models=("chat", "small"),
        )
        made = await there.ask(
            "POST", "/api/keys", {"name": "x", "features": features, "models": models}, key="bound"
        )
        assert made.status == status

    run()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"name": ""}, "`name`"),
        ({"name": "  "}, "not blank"),
        ({"name": "a\u202eb"}, "cannot be printed"),
        ({"name": "key_0akr"}, "not like an id"),
        ({"name": "x" * 101}, "`name`"),
        ({"name": "x", "roles": ["god"]}, "roles"),
        ({"name": "x", "expires": "soon"}, "neither like 90m"),
        ({"name": "x", "expires": "2020-01-01"}, "over already"),
        ({"name": "x", "expires": "9999-01-01"}, "beyond the year"),
        ({"name": "x", "expires": "7"}, "neither like 90m"),
        ({"name": "x", "rolls": ["owner"]}, "did you mean `roles`?"),
    ],
)
def test_a_key_that_makes_no_sense_is_not_made(body: dict[str, object], told: str) -> None:
    """And the field is named."""

    @aio
    async def run() -> None:
        there = Operating()
        refused = await there.ask("POST", "/api/keys", body)
        assert (refused.status, refused.code) == (400, "invalid_request")
        assert told in refused.json["detail"], refused.json
        assert list(await there.keys.all()) == []

    run()


@aio
async def test_a_name_is_given_once() -> None:
    """Also after its key was revoked."""
    there = Operating()
    made = await there.ask("POST", "/api/keys", {"name": "shop"})
    assert (await there.ask("POST", "/api/keys", {"name": "shop"})).code == "conflict"
    await there.ask("DELETE", f"/api/keys/{made.json['id']}")
    assert "choose another name" in (await there.ask("POST", "/api/keys", {"name": "shop"})).json["detail"]


@aio
async def test_a_key_is_found_by_its_id_alone() -> None:
    """A name can be chosen; whoever chooses one must not be taken for somebody else."""
    there = Operating()
    await there.ask("POST", "/api/keys", {"name": "shop"})
    for method, path in (
        ("GET", "/api/keys/shop"),
        ("DELETE", "/api/keys/shop"),
        ("POST", "/api/keys/shop/rotate"),
    ):
        assert (await there.ask(method, path)).code == "not_found"


@aio
async def test_many_keys_come_in_pages() -> None:
    """Each once, also while others are revoked."""
    there = Operating()
    ids = [(await there.ask("POST", "/api/keys", {"name": f"k{n}"})).json["id"] for n in range(7)]
    first = (await there.ask("GET", "/api/keys?limit=3")).json
    assert [each["id"] for each in first["items"]] == ids[:3]
    await there.ask("DELETE", f"/api/keys/{ids[0]}")
    second = (await there.ask("GET", f"/api/keys?limit=3&cursor={first['next']}")).json
    assert [each["id"] for each in second["items"]] == ids[3:6]
    last = (await there.ask("GET", f"/api/keys?limit=3&cursor={second['next']}")).json
    assert [each["id"] for each in last["items"]] == ids[6:] and last["next"] is None


@aio
async def test_an_overlap_has_bounds() -> None:
    """A year, as on the command line."""
    there = Operating()
    made = await there.ask("POST", "/api/keys", {"name": "shop"})
    for overlap, told in (("400d", "at most"), ("soon", "is not a duration"), ("-1s", "is not a duration")):
        refused = await there.ask("POST", f"/api/keys/{made.json['id']}/rotate", {"overlap": overlap})
        assert refused.code == "invalid_request" and told in refused.json["detail"]
