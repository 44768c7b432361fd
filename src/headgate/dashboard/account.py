"""`/account`: who somebody is here, a password of their own choice, and signing out on all browsers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from headgate.control.signing import NotSignedIn, SignIn
from headgate.dashboard.answers import Answer, cookie, html, see, write_notice
from headgate.dashboard.looking import Shown, Viewer
from headgate.dashboard.visitors import COOKIE, NOTICE, Scope, believes, is_https, source_of

if TYPE_CHECKING:
    from headgate.dashboard.site import Site

__all__ = ["account", "change"]


async def account(site: Site, scope: Scope, *, wrong: str = "", status: int = 200) -> Answer:
    """The page; whoever is not signed in is led to where one does."""
    viewer = await _signed_in(site, scope)
    if viewer is None:
        return see("/sign-in?next=/account")
    looking = site.looking(scope, viewer)
    person = await site.desk.people.find(viewer.caller.key_id)
    values = {"title": "Your account", "person": person, "wrong": wrong}
    notice = site.notice(scope)
    page = site.renderer.page(Shown("account.html", values, status), looking, notice=notice)
    forget = [cookie(NOTICE, "", seconds=0, secure=is_https(scope))] if notice else []
    return html(status, page, headers=forget)


async def change(site: Site, scope: Scope, fields: Mapping[str, str], signing: SignIn) -> Answer:
    """Another password, for who knows the one of now; this browser stays signed in and all others are not any more.

    fields: the form, from a page of this site. Raises StoreError."""
    viewer = await _signed_in(site, scope)
    if viewer is None or not believes(viewer, fields.get("csrf", "")):
        return see("/sign-in?next=/account")
    wanted = fields.get("wanted", "")
    if wanted != fields.get("again", ""):
        return await account(site, scope, wrong="The new password was not the same twice", status=422)
    agent = dict(scope["headers"]).get(b"user-agent", b"").decode("latin-1")
    try:
        value, seconds = await signing.change_password(
            viewer.caller.key_id,
            fields.get("password", ""),
            wanted,
            source=source_of(scope),
            agent=agent,
        )
    except NotSignedIn as refused:
        return await account(site, scope, wrong=str(refused), status=429 if refused.wait else 422)
    secure = is_https(scope)
    told = cookie(NOTICE, write_notice("The password is changed."), seconds=60, secure=secure)
    return see("/account", headers=[cookie(COOKIE, value, seconds=seconds, secure=secure), told])


async def _signed_in(site: Site, scope: Scope) -> Viewer | None:
    viewer = await site.visitors.viewer(scope)
    return viewer if viewer is not None and viewer.kind == "person" else None
