"""`/api` as an ASGI callable: who asks, which route, may they, what do they say; then the handler, within a deadline.

Only a key in a header counts. A browser adds no such header by itself, so a foreign page cannot act in anybody's name;
HTTP Basic, which browsers do add by themselves, is not taken here, and no foreign origin is allowed anything.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from typing import Any

import msgspec

from headgate.admission.rights import allowed_roles
from headgate.control.http.matching import Matcher, path_of
from headgate.control.http.openapi import description
from headgate.control.http.page import page
from headgate.control.http.problems import Problem
from headgate.control.http.reading import HungUp, read_body, read_json, read_query
from headgate.control.http.route import Asked, Desk, Route
from headgate.control.http.routes import ROUTES
from headgate.core.ids import IdSource, request_id_text
from headgate.exchange.caller import Caller
from headgate.stores.errors import StoreError

__all__ = ["Api"]

log = logging.getLogger("headgate.api")

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

OPENAPI, DOCS = "/api/openapi.json", "/api/docs"
"""Served to everybody: they tell nothing that is anybody's."""
_JSON = b"application/json"
_PROBLEM = b"application/problem+json"
_LONGEST_KEY = 200
_SAFE = [
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (
        b"content-security-policy",
        (
            b"default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
            b"frame-ancestors 'none'"
        ),
    ),
]


class _Answer:
    """What is sent."""

    __slots__ = ("body", "headers", "kind", "status")

    def __init__(self, status: int, body: bytes, *, kind: bytes = _JSON, headers: Headers = ()) -> None:
        self.status = status
        self.body = body
        self.kind = kind
        self.headers = headers


class Api:
    """Serves `/api`. Everything that is not in the table of routes, or not for the caller's roles, is refused."""

    def __init__(
        self,
        desk: Desk,
        *,
        caller_of: Callable[[bytes], Caller | None],
        ids: IdSource,
        stopping: Callable[[], bool] = bool,
        routes: Sequence[Route] = ROUTES,
    ) -> None:
        """caller_of: whose key this is. stopping: is the process about to end?"""
        self._desk = desk
        self._caller_of = caller_of
        self._ids = ids
        self._stopping = stopping
        self._routes = routes
        self._matcher = Matcher(routes)
        self._shown = frozenset(each.path for each in routes if each.method == "GET")
        self._open: dict[str, _Answer] = {}
        self._describing = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        instance = request_id_text(self._ids.next())
        try:
            answer = await self._answered(scope, receive, instance)
        except HungUp:
            return
        headers = [
            (b"content-type", answer.kind),
            (b"content-length", b"%d" % len(answer.body)),
            (b"x-request-id", instance.encode()),
            *_SAFE,
            *answer.headers,
        ]
        if answer.status == 204:
            # There is nothing whose type or length could be told.
            headers = headers[2:]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else answer.body})

    async def _answered(self, scope: Scope, receive: Receive, instance: str) -> _Answer:
        try:
            return await self._answer(scope, receive)
        except HungUp:
            raise
        except Problem as problem:
            refused = problem
        except StoreError as failure:
            log.warning("%s under /api: %s", instance, failure)
            refused = Problem(
                "database_unavailable", "the database does not answer; try again in a moment", headers=_SOON
            )
        except TimeoutError:
            refused = Problem(
                "took_too_long",
                "it took too long and was given up; ask for less, or again later",
                headers=_SOON,
            )
        except Exception:
            log.exception("%s failed under /api", instance)
            refused = Problem(
                "internal_error",
                f"Headgate failed on this request; its log has the details under {instance}",
            )
        return _refusal(refused, instance)

    async def _answer(self, scope: Scope, receive: Receive) -> _Answer:
        method, path, headers = scope["method"], path_of(scope), scope["headers"]
        if path in (OPENAPI, DOCS):
            return await self._described(method, path)
        if self._stopping():
            raise Problem("shutting_down", "this gateway is stopping; send the request again", headers=_SOON)
        caller = self._caller(headers)
        if method == "OPTIONS":
            return _allowed(self._matcher.methods(path))
        route, values = self._matcher.match(method, path)
        if route.name not in caller.routes:
            raise Problem(
                "not_allowed",
                f"key `{caller.key_name}` may not do this ({route.name}); "
                f"these roles may: {', '.join(allowed_roles(route.name)) or 'none'}",
            )
        query: Any = read_query(scope.get("query_string", b""), route.query)
        body: Any = None
        if route.body is not None:
            data = await read_body(headers, receive)
            body = read_json(headers, data, route.body, required=route.body_required)
        asked = Asked(self._desk, caller, values, query, body, idempotency_key=_idempotency_key(headers))
        async with asyncio.timeout(route.seconds):
            told = await route.handler(asked)
        # Indented: it is read by people with curl at least as often as by programs.
        encoded = msgspec.json.format(msgspec.json.encode(told), indent=2) + b"\n"
        return _Answer(
            route.status, encoded, headers=self._location(path, told) if route.status == 201 else ()
        )

    def _location(self, path: str, told: Any) -> Headers:
        """Where what was made can be asked for, if it can be; its id is one of ours."""
        return [(b"location", f"{path}/{told.id}".encode())] if f"{path}/{{id}}" in self._shown else ()

    def _caller(self, headers: Headers) -> Caller:
        key = _key(headers)
        if not key:
            raise _unknown(
                "no key came with the request; send `Authorization: Bearer KEY` or `x-api-key: KEY` with a Headgate key"
            )
        caller = self._caller_of(key)
        if caller is None:
            raise _unknown("the key is not valid here; `headgate keys list` shows which exist")
        return caller

    async def _described(self, method: str, path: str) -> _Answer:
        allowed = ("GET", "HEAD", "OPTIONS")
        if method == "OPTIONS":
            return _allowed(allowed)
        if method not in allowed:
            raise Problem(
                "method_not_allowed",
                f"this path takes GET, not {method[:20]}",
                headers=[(b"allow", ", ".join(allowed).encode())],
            )
        async with self._describing:
            if not self._open:
                # Reads the source of all types, once: no stream shall wait for that.
                self._open = await asyncio.to_thread(_descriptions, self._routes)
        return self._open[path]


_SOON = ((b"retry-after", b"1"),)


def _key(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    for name, value in headers:
        if name == b"x-api-key":
            return value.strip()
        if name == b"authorization" and value[:7].lower() == b"bearer ":
            return value[7:].strip()
    return b""


def _idempotency_key(headers: Iterable[tuple[bytes, bytes]]) -> str:
    given = next((value for name, value in headers if name == b"idempotency-key"), b"")
    return given[:_LONGEST_KEY].decode("latin-1")


def _unknown(detail: str) -> Problem:
    return Problem("invalid_api_key", detail, headers=[(b"www-authenticate", b'Bearer realm="Headgate"')])


def _descriptions(routes: Sequence[Route]) -> dict[str, _Answer]:
    told = description(routes)
    return {
        OPENAPI: _Answer(200, msgspec.json.encode(told)),
        DOCS: _Answer(200, page(told).encode(), kind=b"text/html; charset=utf-8"),
    }


def _allowed(methods: Iterable[str]) -> _Answer:
    return _Answer(204, b"", headers=[(b"allow", ", ".join(methods).encode())])


def _refusal(problem: Problem, instance: str) -> _Answer:
    body = msgspec.json.format(msgspec.json.encode(problem.body(instance)), indent=2) + b"\n"
    return _Answer(problem.kind.status, body, kind=_PROBLEM, headers=problem.headers)
