"""`POST /feedback`: what an end user's browser says of one answer. No key: a token that is good for this answer only."""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from headgate.control.feedback import give
from headgate.control.http.problems import PROBLEMS
from headgate.core.ids import request_id_text
from headgate.quality.feedback import LONGEST_COMMENT, Given, Giver, Refused, Token, Tokens
from headgate.quality.settings import FeedbackSettings
from headgate.stores.errors import StoreError
from headgate.stores.scores import ScoreStore

__all__ = ["MOST_BODY", "BrowserFeedback", "OpenFeedback", "State"]

log = logging.getLogger("headgate.feedback")

MOST_BODY = 10_000
_MOST_A_TOKEN = 20
_TOKENS_KNOWN = 10_000
_BURST_SECONDS = 5.0
_KINDS = (b"application/json", b"text/plain")
"""`navigator.sendBeacon` sends text."""

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]


class BrowserFeedback(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What a browser sends."""

    token: Annotated[str, Meta(max_length=200)]
    thumbs: Literal["up", "down"] | None = None
    rating: Annotated[float, Meta(ge=1, le=5)] | None = None
    task_completed: bool | None = None
    comment: Annotated[str, Meta(max_length=LONGEST_COMMENT)] = ""
    correction: Annotated[str, Meta(max_length=LONGEST_COMMENT)] = ""
    event: Annotated[str, Meta(max_length=200)] = ""


@dataclass(frozen=True, slots=True)
class State:
    """What holds now."""

    settings: FeedbackSettings
    tokens: Tokens
    content: bool
    """Are texts kept?"""
    keeps: Callable[[Given], Awaitable[bool]] | None = None
    """And about this one? None: of all."""


class _Refusal(Exception):
    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status, self.code = status, code


class OpenFeedback:
    """An ASGI callable for the one path."""

    def __init__(
        self,
        store: ScoreStore,
        state: Callable[[], State | None],
        monotonic: Callable[[], float],
    ) -> None:
        """state: None: `/feedback` is closed. monotonic: seconds."""
        self._store = store
        self._state = state
        self._now = monotonic
        self._room = 0.0
        self._looked = 0.0
        self._told: OrderedDict[int, int] = OrderedDict()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's."""
        headers = dict(scope["headers"])
        state = self._state()
        allowed = _allowed_origin(state, headers.get(b"origin", b""))
        try:
            body = await self._answered(scope["method"], headers, receive, state)
            status = 204 if body is None else 200
        except _Refusal as refusal:
            status = refusal.status
            title = PROBLEMS[refusal.code].title if refusal.code in PROBLEMS else "Not now"
            body = {"code": refusal.code, "title": title, "status": status, "detail": str(refusal)}
        await _send(send, status, body, allowed)

    async def _answered(
        self, method: str, headers: dict[bytes, bytes], receive: Receive, state: State | None
    ) -> dict[str, object] | None:
        if state is None:
            raise _Refusal(404, "unknown_path", "feedback from browsers is not taken here")
        origin = headers.get(b"origin", b"")
        if origin and not _allowed_origin(state, origin):
            raise _Refusal(
                403, "not_allowed", "this page may not send feedback: `feedback.origins` names those that may"
            )
        if method == "OPTIONS":
            return None
        if method != "POST":
            raise _Refusal(405, "method_not_allowed", "send it with POST")
        said = await _read(headers, receive)
        try:
            token = state.tokens.read(said.token)
        except Refused as wrong:
            raise _Refusal(401, "invalid_api_key", str(wrong)) from None
        # Only what has a token takes from what all together may send: else whoever has none could shut the others out.
        self._take(state.settings.per_second)
        self._count(token.request_id)
        return await self._keep(said, token, state)

    async def _keep(self, said: BrowserFeedback, token: Token, state: State) -> dict[str, object]:
        request_id = token.request_id
        given = Given(
            request=request_id_text(request_id),
            thumbs=said.thumbs,
            rating=said.rating,
            task_completed=said.task_completed,
            comment=said.comment,
            correction=said.correction,
            event=said.event,
        )
        try:
            giver = Giver(
                prefix=f"browser/{request_id}", content=state.content, key_id=token.key_id, team=token.team
            )
            (kept,) = await give(self._store, [given], giver, state.keeps)
        except Refused as wrong:
            raise _Refusal(400, "invalid_request", str(wrong)) from None
        except StoreError as failure:
            log.warning("feedback could not be kept: %s", failure)
            raise _Refusal(503, "database_unavailable", "try again in a moment") from None
        return {"kept": list(kept.names), "left_out": list(kept.left_out)}

    def _take(self, per_second: float) -> None:
        """One message of what all together may send."""
        now, most = self._now(), max(per_second * _BURST_SECONDS, 1.0)
        self._room = most if not self._looked else min(self._room + (now - self._looked) * per_second, most)
        self._looked = now
        if self._room < 1:
            raise _Refusal(
                429, "too_many", "too much feedback comes in at this moment: try again in a few seconds"
            )
        self._room -= 1

    def _count(self, request_id: int) -> None:
        """One of those that one answer may get from its token on this gateway."""
        told = self._told.pop(request_id, 0) + 1
        self._told[request_id] = told
        if len(self._told) > _TOKENS_KNOWN:
            self._told.popitem(last=False)
        if told > _MOST_A_TOKEN:
            raise _Refusal(429, "too_many", "this answer was judged often enough")


def _allowed_origin(state: State | None, origin: bytes) -> bytes:
    """The origin, if its scripts may send and read; else nothing."""
    if state is None or not origin:
        return b""
    return origin if origin.decode("latin-1") in state.settings.origins else b""


async def _read(headers: dict[bytes, bytes], receive: Receive) -> BrowserFeedback:
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind not in _KINDS:
        raise _Refusal(415, "unsupported_media_type", "send JSON")
    pieces, size, more = [], 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refusal(400, "malformed_body", "the body is not complete")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > MOST_BODY:
            raise _Refusal(413, "body_too_large", f"the body is over {MOST_BODY:,} bytes")
        more = message.get("more_body", False)
    try:
        return msgspec.json.decode(b"".join(pieces), type=BrowserFeedback)
    except msgspec.ValidationError as wrong:
        raise _Refusal(400, "invalid_request", _printable(str(wrong))) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise _Refusal(400, "malformed_body", "the body is not JSON") from None


def _printable(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text[:300])


async def _send(send: Send, status: int, body: dict[str, object] | None, allowed: bytes) -> None:
    data = b"" if body is None else msgspec.json.encode(body) + b"\n"
    headers: Headers = [
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"vary", b"origin"),
    ]
    if body is not None:
        headers += [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(data))]
    if status == 413:
        headers.append((b"connection", b"close"))
    if status == 405:
        headers.append((b"allow", b"POST, OPTIONS"))
    if status == 429:
        headers.append((b"retry-after", b"5"))
    if allowed:
        headers += _cors(allowed, preflight=body is None)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": data})


def _cors(origin: bytes, *, preflight: bool) -> Iterable[tuple[bytes, bytes]]:
    yield b"access-control-allow-origin", origin
    if preflight:
        yield b"access-control-allow-methods", b"POST"
        yield b"access-control-allow-headers", b"content-type"
        yield b"access-control-max-age", b"86400"
