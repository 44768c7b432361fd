"""Rung `http`: a service of the operator's is asked over HTTP, and has little time to answer."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import msgspec

from headgate.core.errors import TransportFault
from headgate.dispatch.ladder.answer import NoAnswer
from headgate.dispatch.ladder.settings import CallbackSettings
from headgate.providers.port import Timeouts, Upstream, UpstreamRequest, Url

__all__ = ["Callback", "Callbacks", "callback_of"]

_MOST_BYTES = 1_000_000
_MOST_AT_ONCE = 128
"""Callbacks under way in this process: one that is dead must not collect every request of an outage."""


@dataclass(frozen=True, slots=True)
class Callback:
    """One configured callback, ready to be called."""

    url: Url
    token: str
    timeouts: Timeouts
    self_hosted: bool = False
    """It may be told of requests that rules keep to certain places."""


def callback_of(settings: CallbackSettings) -> Callback:
    """Raises ValueError for an address that is none."""
    limit = float(settings.timeout)
    timeouts = Timeouts(connect=limit, headers=limit, first_content=limit, between=limit, total=limit)
    return Callback(Url.parse(settings.url), settings.token, timeouts, settings.self_hosted)


class _Message(msgspec.Struct, frozen=True):
    content: str | None = None


class _Choice(msgspec.Struct, frozen=True):
    message: _Message = _Message()


class _Said(msgspec.Struct):
    """`{"text": "..."}`, or what an OpenAI chat server answers."""

    text: str | None = None
    choices: list[_Choice] = []


_said = msgspec.json.Decoder(_Said)


class Callbacks:
    """Asks callbacks, through one upstream. Redirects are not followed: only what the operator wrote is called."""

    def __init__(self, upstream: Upstream, *, most_at_once: int = _MOST_AT_ONCE) -> None:
        self._upstream = upstream
        self._most = most_at_once
        self._under_way = 0

    async def ask(self, callback: Callback, situation: bytes) -> str:
        """The words it answers. situation: the JSON it is posted. Raises NoAnswer, within the callback's time."""
        if self._under_way >= self._most:
            raise NoAnswer(f"{self._under_way} callbacks are under way already")
        limit = callback.timeouts.total
        self._under_way += 1
        try:
            # Whatever the upstream counts, this is the most.
            async with asyncio.timeout(limit):
                status, body = await self._post(callback, situation)
        except TimeoutError:
            raise NoAnswer(f"no answer within {limit:g} s") from None
        except TransportFault as fault:
            raise NoAnswer(fault.code) from None
        finally:
            self._under_way -= 1
        return _text_of(status, body)

    async def _post(self, callback: Callback, situation: bytes) -> tuple[int, bytes]:
        headers = [(b"content-type", b"application/json"), (b"accept", b"application/json")]
        if callback.token:
            headers.append((b"authorization", b"Bearer " + callback.token.encode()))
        request = UpstreamRequest("POST", callback.url, headers, situation)
        reply = await self._upstream.send(request, callback.timeouts)
        try:
            return reply.status, await reply.read(_MOST_BYTES)
        finally:
            reply.close()


def _text_of(status: int, body: bytes) -> str:
    if not 200 <= status < 300:
        raise NoAnswer(f"HTTP {status}")
    if not body.strip():
        raise NoAnswer("it had nothing to say")
    try:
        said = _said.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise NoAnswer('its answer is not {"text": "..."}') from None
    text = said.text
    if text is None and said.choices:
        text = said.choices[0].message.content
    if not text:
        raise NoAnswer("it had nothing to say")
    return text
