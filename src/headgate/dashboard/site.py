"""The dashboard as an ASGI callable: files, sign-in, pages, and `/metrics`."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from importlib.resources import files
from typing import Any, cast
from urllib.parse import parse_qs, quote

import msgspec

from headgate.admission.rights import allowed_roles
from headgate.control.http.matching import Matcher
from headgate.control.http.problems import Problem
from headgate.control.http.reading import HungUp, read_body
from headgate.control.http.route import Desk
from headgate.core.ids import IdSource, request_id_text
from headgate.dashboard.answers import (
    Answer,
    cookie,
    html,
    json,
    read_notice,
    see,
    send_answer,
    text,
    write_notice,
)
from headgate.dashboard.files import StaticFiles
from headgate.dashboard.looking import Data, Looking, Page, Raw, Redirect, Shown, Viewer
from headgate.dashboard.rendering import Renderer
from headgate.dashboard.visitors import (
    NOTICE,
    Visitors,
    address_of,
    believes,
    cookies_of,
    is_https,
    key_of,
    same_site,
)
from headgate.stores.errors import StoreError

__all__ = ["Site"]

log = logging.getLogger("headgate.dashboard")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

_MOST_FIELDS = 200
_FOR_EVER = (b"cache-control", b"public, max-age=31536000, immutable")
_A_LITTLE = (b"cache-control", b"no-cache")
_CHALLENGE = (b"www-authenticate", b'Basic realm="Headgate", charset="UTF-8"')
_SIGN_IN = (
    "Sign in with any name and, as the password, a Headgate key whose role may see this page "
    "(`headgate keys create NAME --role viewer` makes one)."
)

Entrance = Callable[[Scope, Receive], Awaitable[Answer]]


class Site:
    """Serves the pages."""

    def __init__(
        self,
        desk: Desk,
        visitors: Visitors,
        *,
        pages: Sequence[Page],
        ids: IdSource,
        entrances: Mapping[str, Callable[[Site], Entrance]] | None = None,
        metrics: Callable[[], bytes] = bytes,
    ) -> None:
        """entrances: what serves paths that anybody may reach, such as `/sign-in`. metrics: all, in Prometheus' text format."""
        self.desk = desk
        self.visitors = visitors
        # A matcher wants rows with a method and a path.
        self._matcher = Matcher(cast("Any", pages))
        self._ids = ids
        self._metrics = metrics
        self._static = StaticFiles()
        self._plain_style = files("headgate.dashboard").joinpath("page.css").read_bytes()
        self.renderer = Renderer(self._static, frozenset(each.path for each in pages if each.method == "GET"))
        self._entrances = {path: made(self) for path, made in (entrances or {}).items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        method, path = scope["method"], scope["path"]
        try:
            if path.startswith("/static/"):
                answer = self._file(scope, path.removeprefix("/static/"))
            elif path == "/page.css":
                answer = Answer(200, self._plain_style, b"text/css; charset=utf-8")
            elif path in self._entrances:
                answer = await self._entrances[path](scope, receive)
            else:
                answer = await self._guarded(scope, receive)
        except HungUp:
            return
        await send_answer(send, method, answer)

    def refused(self, problem: Problem, looking: Looking) -> Answer:
        """A page in words about what is not possible."""
        # What is advised to programs about keys says nothing to people who look at a page.
        forbidden = problem.code == "not_allowed"
        title = "This is not yours to see or to do" if forbidden else problem.kind.title
        values = {
            "title": title,
            "detail": problem.detail,
            "advice": "" if forbidden else problem.kind.advice,
        }
        shown = Shown("problem.html", values, problem.kind.status)
        return html(shown.status, self.renderer.page(shown, looking), headers=problem.headers)

    def shown(self, shown: Shown, looking: Looking) -> Answer:
        """A page."""
        return html(shown.status, self.renderer.page(shown, looking))

    def notice(self, scope: Scope) -> str:
        """What the page before wanted to be told here."""
        return read_notice(cookies_of(scope["headers"]).get(NOTICE, ""))

    def looking(self, scope: Scope, viewer: Viewer) -> Looking:
        """A request, without its form."""
        try:
            lists = _fields(scope.get("query_string", b""))
        except Problem:
            lists = {}
        return Looking(
            desk=self.desk,
            viewer=viewer,
            query={name: values[-1] for name, values in lists.items()},
            lists=lists,
            now_ns=time.time_ns(),
            url=scope["path"],
            address=address_of(scope),
        )

    async def _guarded(self, scope: Scope, receive: Receive) -> Answer:
        """Whoever asks is known, or sent to sign in."""
        method, path, headers = scope["method"], scope["path"], scope["headers"]
        try:
            viewer = await self.visitors.viewer(scope)
        except StoreError as failure:
            log.warning("nobody can be recognised: %s", failure)
            return text(
                503, "The database does not answer, so nobody can be recognised. Try again in a moment."
            )
        if viewer is None:
            return self._stranger(scope)
        if path == "/metrics":
            if method not in ("GET", "HEAD"):
                return text(405, "This can only be looked at.", headers=[(b"allow", b"GET, HEAD")])
            return Answer(200, self._metrics(), b"text/plain; version=0.0.4; charset=utf-8")
        looking = self.looking(scope, viewer)
        try:
            answer = await self._answered(scope, receive, looking)
        except HungUp:
            raise
        except Problem as problem:
            return self.refused(problem, looking)
        except StoreError as failure:
            log.warning("%s: %s", path, failure)
            words = "the database does not answer; applications are served meanwhile. Try again in a moment"
            return self.refused(Problem("database_unavailable", words), looking)
        except TimeoutError:
            words = "it took too long and was given up; look at a shorter time"
            return self.refused(Problem("took_too_long", words), looking)
        except Exception:
            instance = request_id_text(self._ids.next())
            log.exception("%s failed at %s", instance, path)
            words = f"Headgate failed on this page; its log has the details under {instance}"
            return self.refused(Problem("internal_error", words), looking)
        if NOTICE in cookies_of(headers) and answer.kind.startswith(b"text/html"):
            forget = cookie(NOTICE, "", seconds=0, secure=is_https(scope))
            answer = answer._replace(headers=(*answer.headers, forget))
        return answer

    async def _answered(self, scope: Scope, receive: Receive, looking: Looking) -> Answer:
        method, viewer = scope["method"], looking.viewer
        try:
            found, values = self._matcher.match(method, scope["path"])
        except Problem as problem:
            if problem.code == "unknown_path":
                raise Problem(
                    "unknown_path", "there is no such page; the navigation lists those there are"
                ) from None
            raise
        page = cast("Page", found)
        if not viewer.may(page.right):
            raise _not_allowed(viewer, page.right)
        form: dict[str, Sequence[str]] = {}
        if page.method == "POST":
            form = _fields(await read_body(scope["headers"], receive))
            token = (form.pop("csrf", None) or [""])[-1]
            if not same_site(scope["headers"]) or not believes(viewer, token):
                raise Problem(
                    "not_allowed",
                    "this form is too old, or from another site; go back, reload and send it again",
                )
        looking = Looking(
            desk=looking.desk,
            viewer=viewer,
            path=values,
            query=looking.query,
            form={name: texts[-1] for name, texts in form.items()},
            lists=form or looking.lists,
            now_ns=looking.now_ns,
            usual=page.usual,
            url=looking.url,
            address=looking.address,
        )
        async with asyncio.timeout(page.seconds):
            result = await page.handler(looking)
        return self._answer(result, looking, scope)

    def _answer(self, result: Shown | Data | Raw | Redirect, looking: Looking, scope: Scope) -> Answer:
        if isinstance(result, Data):
            return json(msgspec.json.encode(result.value))
        if isinstance(result, Raw):
            name = quote(result.filename)
            more = [(b"content-disposition", f'attachment; filename="{name}"'.encode())] if name else []
            return Answer(200, result.body, result.kind.encode(), ((b"cache-control", b"no-store"), *more))
        if isinstance(result, Redirect):
            secure = is_https(scope)
            notice = (
                [cookie(NOTICE, write_notice(result.notice), seconds=60, secure=secure)]
                if result.notice
                else []
            )
            cookies = [(b"set-cookie", each) for each in result.cookies]
            return see(result.location, headers=[*notice, *cookies])
        return html(result.status, self.renderer.page(result, looking, notice=self.notice(scope)))

    def _stranger(self, scope: Scope) -> Answer:
        """Browsers of people are led to the sign-in, programs are asked for a key."""
        headers, path = scope["headers"], scope["path"]
        if path != "/metrics":
            try:
                self._matcher.methods(path)
            except Problem:
                return text(404, "Nothing is here. Applications use /v1, people /.")
        wants_page = any(name == b"accept" and b"text/html" in value for name, value in headers)
        if wants_page and not key_of(headers) and "/sign-in" in self._entrances and scope["method"] == "GET":
            query = scope.get("query_string", b"").decode("latin-1")
            back = f"{path}?{query}" if query else path
            return see(f"/sign-in?next={quote(back, safe='')}" if back != "/" else "/sign-in")
        return text(401, _SIGN_IN, headers=[_CHALLENGE])

    def _file(self, scope: Scope, name: str) -> Answer:
        found = self._static.find(name)
        if found is None:
            return text(404, "There is no such file.")
        if scope["method"] not in ("GET", "HEAD"):
            return text(405, "This can only be looked at.", headers=[(b"allow", b"GET, HEAD")])
        mark = f'"{found.mark}"'.encode()
        fresh = scope.get("query_string", b"") == f"v={found.mark}".encode()
        headers = ((b"etag", mark), _FOR_EVER if fresh else _A_LITTLE)
        if any(each == b"if-none-match" and mark in value for each, value in scope["headers"]):
            return Answer(304, headers=headers)
        return Answer(200, found.body, found.kind.encode(), headers)


def _not_allowed(viewer: Viewer, right: str) -> Problem:
    roles = ", ".join(allowed_roles(right)) or "none"
    more = "; sign in as somebody who has one" if viewer.kind == "local" else ""
    return Problem("not_allowed", f"{viewer.name} may not do this ({right}); these roles may: {roles}{more}")


def _fields(data: bytes) -> dict[str, Sequence[str]]:
    try:
        found = parse_qs(
            data.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
        )
    except ValueError:
        raise Problem("invalid_request", "the form cannot be read") from None
    return dict(found)
