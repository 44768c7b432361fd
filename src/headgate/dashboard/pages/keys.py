"""`/keys`: keys, people, and who changed what."""

from __future__ import annotations

from headgate.admission.rights import ROLES, routes_of
from headgate.control.http.audit import AuditQuery, list_changes
from headgate.control.http.keys import KeysQuery, NewKey, Rotation, list_keys, make_key, revoke, rotate
from headgate.control.http.people import (
    NewPassword,
    NewPerson,
    PersonChange,
    add,
    change,
    list_people,
    password,
)
from headgate.dashboard.looking import Looking, Redirect, Shown, page

__all__ = ["PAGES"]


async def show(asked: Looking) -> Shown:
    """Keys and people."""
    keys = await list_keys(asked.asked(asked.queried(KeysQuery)))
    people = await list_people(asked.asked()) if asked.viewer.may("api.people.list") else None
    return Shown(
        "keys.html",
        {
            "title": "Keys and people",
            "keys": keys,
            "people": people.items if people is not None else None,
            "state": asked.query.get("state", "valid"),
            "roles": [
                (role, about) for role, about in ROLES.items() if routes_of([role]) <= asked.viewer.routes
            ],
            "features": list(asked.desk.configuration().settings.features),
        },
    )


async def create(asked: Looking) -> Shown:
    """A key is made, and shown this once."""
    made = await make_key(asked.asked(body=asked.filled(NewKey)))
    return Shown("key-made.html", {"title": "The key", "made": made, "was": "made"})


async def again(asked: Looking) -> Shown:
    """A key is made in place of an old one, and shown this once."""
    made = await rotate(asked.asked(body=asked.filled(Rotation)))
    return Shown("key-made.html", {"title": "The key", "made": made, "was": "rotated"})


async def end(asked: Looking) -> Redirect:
    """A key is valid no more."""
    gone = await revoke(asked.asked())
    return Redirect("/keys", f"The key {gone.name} is revoked.")


async def invite(asked: Looking) -> Shown | Redirect:
    """Somebody may sign in; a password that was made up is shown this once."""
    made = await add(asked.asked(body=asked.filled(NewPerson)))
    if made.new_password:
        return Shown("person-made.html", {"title": "The password", "made": made})
    return Redirect("/keys#people", f"{made.email} may sign in.")


async def alter(asked: Looking) -> Redirect:
    """Somebody has other roles, is disabled, or enabled."""
    wanted = PersonChange()
    if "roles" in asked.lists:
        wanted = asked.filled(PersonChange)
    elif "disabled" in asked.form:
        wanted = PersonChange(disabled=asked.form["disabled"] == "yes")
    shown = await change(asked.asked(body=wanted))
    now = "may not sign in any more" if shown.disabled else f"is {', '.join(shown.roles) or 'nothing'} now"
    return Redirect("/keys#people", f"{shown.email} {now}.")


async def renew(asked: Looking) -> Shown:
    """Somebody has another password, which is shown this once."""
    made = await password(asked.asked(body=asked.filled(NewPassword)))
    return Shown("person-made.html", {"title": "The password", "made": made})


async def changes(asked: Looking) -> Shown:
    """Who changed what."""
    found = await list_changes(asked.asked(asked.queried(AuditQuery, limit="100")))
    return Shown("audit.html", {"title": "Who changed what", "found": found})


PAGES = (
    page("GET", "/keys", "api.keys.list", show),
    page("POST", "/keys", "api.keys.create", create),
    page("POST", "/keys/{id}/rotate", "api.keys.rotate", again),
    page("POST", "/keys/{id}/revoke", "api.keys.revoke", end),
    page("POST", "/people", "api.people.add", invite, seconds=30.0),
    page("POST", "/people/{id}", "api.people.change", alter),
    page("POST", "/people/{id}/password", "api.people.password", renew, seconds=30.0),
    page("GET", "/audit", "api.audit.list", changes),
)
