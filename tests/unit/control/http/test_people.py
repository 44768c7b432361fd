"""`/api/people`: nobody hands out more than they have, and no password is ever told again."""

from __future__ import annotations

from tests.support.aio import aio
from tests.support.operating import Operating

__all__: list[str] = []

BO = {"email": "Bo@Example.com", "roles": ["developer"], "name": "Bo"}


@aio
async def test_somebody_is_added_with_a_password_that_is_told_once() -> None:
    """One that was made up; one that was said is not repeated."""
    there = Operating()
    made = await there.ask("POST", "/api/people", BO, key="operator")
    assert (
        made.status == 201 and made.json["email"] == "bo@example.com" and len(made.json["new_password"]) >= 12
    )
    listed = await there.ask("GET", "/api/people", key="operator")
    assert [each["email"] for each in listed.json["items"]] == ["bo@example.com"]
    assert "new_password" not in listed.json["items"][0] and b"argon2" not in listed.body
    said = await there.ask("POST", "/api/people", {"email": "c@d", "password": "x" * 12})
    assert said.json["new_password"] == "" and said.json["roles"] == ["viewer"]
    renewed = await there.ask("POST", f"/api/people/{made.json['id']}/password", {})
    assert renewed.status == 200 and renewed.json["new_password"] != made.json["new_password"]


@aio
async def test_what_is_wrong_is_told_with_its_place() -> None:
    """An address twice, none at all, a short password, an id that nobody has."""
    there = Operating()
    await there.ask("POST", "/api/people", BO)
    assert (await there.ask("POST", "/api/people", BO)).code == "conflict"
    assert (await there.ask("POST", "/api/people", {"email": "nobody"})).json["param"] == "email"
    short = await there.ask("POST", "/api/people", {"email": "c@d", "password": "short"})
    assert (short.status, short.json["param"]) == (400, "password")
    assert (await there.ask("POST", "/api/people/person_9", {"disabled": True})).status == 404
    assert (await there.ask("POST", "/api/people/person_9/password", {})).status == 404


@aio
async def test_nobody_makes_or_changes_somebody_with_more_rights() -> None:
    """An operator no owner: not a new one, not by promotion, not their password."""
    there = Operating()
    owner = (await there.ask("POST", "/api/people", {"email": "o@x", "roles": ["owner"]})).json["id"]
    bo = (await there.ask("POST", "/api/people", BO)).json["id"]
    for path, body in (
        ("/api/people", {"email": "e@x", "roles": ["owner"]}),
        (f"/api/people/{bo}", {"roles": ["owner"]}),
        (f"/api/people/{owner}", {"disabled": True}),
        (f"/api/people/{owner}/password", {}),
    ):
        assert (await there.ask("POST", path, body, key="operator")).status == 403, path
    assert (await there.ask("GET", "/api/people", key="viewer")).status == 403


@aio
async def test_roles_and_disabling_are_changed_apart_and_each_is_in_the_audit_log() -> None:
    """What is left out stays."""
    there = Operating()
    bo = (await there.ask("POST", "/api/people", BO)).json["id"]
    changed = await there.ask("POST", f"/api/people/{bo}", {"roles": ["viewer", "reviewer"]})
    assert changed.json["roles"] == ["reviewer", "viewer"] and not changed.json["disabled"]
    disabled = await there.ask("POST", f"/api/people/{bo}", {"disabled": True})
    assert disabled.json["disabled"] and disabled.json["roles"] == ["reviewer", "viewer"]
    assert not (await there.ask("POST", f"/api/people/{bo}", {"disabled": False})).json["disabled"]
    actions = [entry.action for entry in await there.audit.since(0, 10)]
    assert actions == ["person.create", "person.roles", "person.disable", "person.enable"]
