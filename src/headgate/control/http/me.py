"""`/api/me`: who am I, and what may I?"""

from __future__ import annotations

import msgspec

from headgate.control.http.route import Asked, route

__all__ = ["ROUTES", "Me"]


class Me(msgspec.Struct, kw_only=True):
    """Whose key this is."""

    id: str
    """Of the key; of a token: who it is for."""
    name: str
    roles: list[str]
    may: list[str]
    """Names of what the roles allow: the operations of this description, and what is served elsewhere."""
    features: list[str]
    """Features its requests may be counted for; empty: all."""
    models: list[str]
    """Features and models it may ask for; empty: all."""
    team: str
    tenant: str
    user: str


async def show(asked: Asked[None, None]) -> Me:
    """Tell whose key this is and what it may."""
    caller = asked.caller
    return Me(
        id=caller.key_id,
        name=caller.key_name,
        roles=list(caller.roles),
        may=sorted(caller.routes),
        features=list(caller.features),
        models=list(caller.models),
        team=caller.team,
        tenant=caller.tenant,
        user=caller.user,
    )


ROUTES = (route("GET", "/api/me", "api.me", show),)
