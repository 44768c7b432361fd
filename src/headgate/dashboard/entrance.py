"""`/sign-in`, `/sign-out` and `/account`: what anybody may reach."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from headgate.control.http.problems import Problem
from headgate.control.http.reading import read_body
from headgate.control.people import add_person
from headgate.control.signing import NotSignedIn, SignIn
from headgate.dashboard.account import account, change
from headgate.dashboard.answers import Answer, cookie, html, is_ours, see, text
from headgate.dashboard.looking import Looking, Shown, Viewer
from headgate.dashboard.oidc import Oidc, Sent
from headgate.dashboard.visitors import (
    COOKIE,
    Scope,
    address_of,
    believes,
    cookies_of,
    is_https,
    own_browser,
    same_site,
    source_of,
)
from headgate.exchange.caller import Caller
from headgate.stores.errors import StoreError
from headgate.stores.people import Person

if TYPE_CHECKING:
    from headgate.dashboard.site import Site

__all__ = ["Entrances"]

_AWAY = "headgate-away"
_AWAY_SECONDS = 600
_CALLBACK = "/sign-in/oidc/callback"
_NOBODY = Viewer(Caller(key_id="", key_name=""), "", "nobody")

Receive = Callable[[], Awaitable[Any]]


class Entrances:
    """The ways in and out of one site."""

    def __init__(
        self,
        signing: SignIn,
        *,
        oidc: Callable[[], Oidc | None],
        address: Callable[[], str],
        secret: Callable[[], Awaitable[bytes]],
    ) -> None:
        """oidc: None: no identity provider is configured. address: where people reach us; "": as their browser says.
        secret: of this installation."""
        self._signing = signing
        self._oidc = oidc
        self._address = address
        self._secret = secret

    def table(self) -> Mapping[str, Callable[[Site], Callable[[Scope, Receive], Awaitable[Answer]]]]:
        """Path -> what serves it, of a site."""
        rows = {
            "/sign-in": self._sign_in,
            "/sign-in/first": self._first,
            "/sign-in/oidc": self._leave,
            _CALLBACK: self._come_back,
            "/sign-out": self._sign_out,
            "/account": self._account,
        }
        return {path: _bound(work) for path, work in rows.items()}

    async def _sign_in(self, site: Site, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] in ("GET", "HEAD"):
            return await self._shown(site, scope)
        fields = await _form(scope, receive)
        agent, source = _header(scope, b"user-agent"), source_of(scope)
        key = fields.get("key", "").strip()
        after = fields.get("next", "/")
        try:
            if key:
                value, seconds = await self._signing.by_key(key.encode(), source=source, agent=agent)
            else:
                value, seconds = await self._signing.by_password(
                    fields.get("email", ""), fields.get("password", ""), source=source, agent=agent
                )
        except NotSignedIn as wrong:
            status = 429 if wrong.wait else 401
            return await self._shown(site, scope, wrong=str(wrong), after=after, status=status, fields=fields)
        return see(after, headers=[cookie(COOKIE, value, seconds=seconds, secure=is_https(scope))])

    async def _first(self, site: Site, scope: Scope, receive: Receive) -> Answer:
        """The first person, made by whoever sits at this machine and has the owner's key."""
        if scope["method"] != "POST":
            return see("/sign-in")
        fields = await _form(scope, receive)
        agent, source = _header(scope, b"user-agent"), source_of(scope)
        people = site.desk.people
        try:
            if not own_browser(scope) or await people.all():
                raise NotSignedIn(
                    "people are added by an owner: on the page Keys and people, or by `headgate people add`"
                )
            key = fields.get("key", "").strip().encode()
            _, _ = await self._signing.by_key(key, source=source, agent=agent)
            caller = self._signing.key_caller(key)
            if caller is None or "owner" not in caller.roles:
                raise NotSignedIn("this takes the key of an owner, such as the first one")
            draft = Person(id="", email=fields.get("email", ""), roles=("owner",), created_ns=0)
            password = fields.get("password", "")
            if not password:
                raise NotSignedIn("say a password, of at least 12 characters")
            await add_person(
                people,
                draft,
                password=password,
                passwords=self._signing.passwords,
                actor=f"dashboard:{caller.key_id}",
            )
            value, seconds = await self._signing.by_password(
                draft.email, password, source=source, agent=agent
            )
        except (NotSignedIn, ValueError) as wrong:
            return await self._shown(site, scope, wrong=str(wrong), status=401, fields=fields)
        return see("/", headers=[cookie(COOKIE, value, seconds=seconds, secure=is_https(scope))])

    async def _leave(self, site: Site, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - as the others
        oidc = self._oidc()
        if oidc is None:
            return see("/sign-in")
        after = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"))).get("next", "/")
        try:
            place, sent = await oidc.leave(self._back(scope), after)
        except NotSignedIn as wrong:
            return await self._shown(site, scope, wrong=str(wrong), status=502)
        kept = cookie(_AWAY, await self._sealed(sent), seconds=_AWAY_SECONDS, secure=is_https(scope))
        return Answer(303, headers=((b"cache-control", b"no-store"), (b"location", place.encode()), kept))

    async def _come_back(self, site: Site, scope: Scope, receive: Receive) -> Answer:  # noqa: ARG002 - as the others
        oidc = self._oidc()
        if oidc is None:
            return see("/sign-in")
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        sent = await self._opened(cookies_of(scope["headers"]).get(_AWAY, ""))
        forget = cookie(_AWAY, "", seconds=0, secure=is_https(scope))
        try:
            who = await oidc.come_back(query, sent, self._back(scope))
            value, seconds = await self._signing.by_identity(
                issuer=oidc.settings.issuer,
                identity=who.subject,
                email=who.email,
                name=who.name,
                roles=who.roles,
                proven=who.proven,
                agent=_header(scope, b"user-agent"),
            )
        except (NotSignedIn, ValueError) as wrong:
            answer = await self._shown(site, scope, wrong=str(wrong), status=401)
            return answer._replace(headers=(*answer.headers, forget))
        signed = cookie(COOKIE, value, seconds=seconds, secure=is_https(scope))
        # A page, not a redirect: this request came from another site, and a browser would not send the new cookie along.
        after = sent.next if sent is not None and is_ours(sent.next) else "/"
        values = {"title": "Signed in", "after": after}
        page = site.renderer.page(Shown("signed-in.html", values), site.looking(scope, _NOBODY))
        return html(
            200, page, headers=[signed, forget, (b"refresh", f"0; url={after}".encode("latin-1", "replace"))]
        )

    async def _sign_out(self, site: Site, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return see("/sign-in")
        fields = await _form(scope, receive)
        value = cookies_of(scope["headers"]).get(COOKIE, "").encode()
        viewer = await site.visitors.viewer(scope)
        if value and viewer is not None and believes(viewer, fields.get("csrf", "")):
            if fields.get("everywhere"):
                await self._signing.sign_out_everywhere(value)
            else:
                await self._signing.sign_out(value)
        return see("/sign-in", headers=[cookie(COOKIE, "", seconds=0, secure=is_https(scope))])

    async def _account(self, site: Site, scope: Scope, receive: Receive) -> Answer:
        if scope["method"] != "POST":
            return await account(site, scope)
        return await change(site, scope, await _form(scope, receive), self._signing)

    async def _shown(
        self,
        site: Site,
        scope: Scope,
        *,
        wrong: str = "",
        after: str = "",
        status: int = 200,
        fields: Mapping[str, str] | None = None,
    ) -> Answer:
        looking: Looking = site.looking(scope, _NOBODY)
        oidc = self._oidc()
        first = own_browser(scope) and not await site.desk.people.all()
        values = {
            "title": "Sign in",
            "wrong": wrong,
            "next": after or looking.query.get("next", "/"),
            "oidc": oidc.settings.name if oidc is not None else "",
            "first": first,
            "email": (fields or {}).get("email", ""),
        }
        return html(status, site.renderer.page(Shown("sign-in.html", values, status), looking))

    def _back(self, scope: Scope) -> str:
        return f"{self._address().rstrip('/') or address_of(scope)}{_CALLBACK}"

    async def _sealed(self, sent: Sent) -> str:
        body = base64.urlsafe_b64encode(msgspec.json.encode(sent))
        return f"{body.decode()}.{await self._seal(body)}"

    async def _opened(self, value: str) -> Sent | None:
        body, _, seal = value.partition(".")
        if not seal or not hmac.compare_digest(seal.encode(), (await self._seal(body.encode())).encode()):
            return None
        return msgspec.json.decode(base64.urlsafe_b64decode(body), type=Sent)

    async def _seal(self, body: bytes) -> str:
        return hashlib.blake2b(body, key=await self._secret(), person=b"oidc").hexdigest()


def _bound(
    work: Callable[[Site, Scope, Receive], Awaitable[Answer]],
) -> Callable[[Site], Callable[[Scope, Receive], Awaitable[Answer]]]:
    def made(site: Site) -> Callable[[Scope, Receive], Awaitable[Answer]]:
        async def entered(scope: Scope, receive: Receive) -> Answer:
            try:
                if scope["method"] not in ("GET", "HEAD", "POST"):
                    return text(
                        405, "This path takes GET and POST.", headers=[(b"allow", b"GET, HEAD, POST")]
                    )
                return await work(site, scope, receive)
            except StoreError:
                return text(
                    503, "The database does not answer, so nobody can sign in. Try again in a moment."
                )
            except Problem as problem:
                return site.refused(problem, site.looking(scope, _NOBODY))

        return entered

    return made


async def _form(scope: Scope, receive: Receive) -> dict[str, str]:
    """Raises Problem if it comes from another site."""
    body = await read_body(scope["headers"], receive)
    if not same_site(scope["headers"]):
        raise Problem("not_allowed", "this form comes from another site; open the sign-in here")
    try:
        return dict(
            parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=20)
        )
    except ValueError:
        raise Problem("invalid_request", "the form cannot be read") from None


def _header(scope: Scope, wanted: bytes) -> str:
    found = next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")
    return "".join(each for each in found if each.isprintable())
