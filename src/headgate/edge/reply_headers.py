"""The headers that tell a caller what Headgate did. Named in one place; documented in docs/reference/headers.md."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Final

from headgate.core.ids import request_id_text
from headgate.exchange.exchange import Exchange
from headgate.providers.port import Endpoint

__all__ = ["ReplyHeaders"]

Headers = list[tuple[bytes, bytes]]

_FEEDBACK: Final = b"x-headgate-feedback"
_ATTEMPTS: Final = b"x-headgate-attempts"
_FALLBACK: Final = b"x-headgate-fallback"
_OVERHEAD: Final = b"x-headgate-overhead-ms"
_QUEUE: Final = b"x-headgate-queue-ms"

_monotonic: Final = monotonic
_KEPT: Final = 1000
_DIGITS: Final = [b"%02d" % number for number in range(100)]


class ReplyHeaders:
    """Writes them, and remembers those that say the same at every reply of an endpoint."""

    def __init__(self) -> None:
        self._of_endpoint: dict[tuple[str, str, str], bytes] = {}
        self._last: Endpoint | None = None
        self._last_lines = b""
        self.mint: Callable[[int], str] | None = None
        """Makes of a request's id a token to judge its answer with; None: answers carry none."""

    def of(self, exchange: Exchange, *, refused: bool = False, early: bool = False) -> Headers:
        """Name and value of each, those that stages have added included. refused: the dialect's own problem headers, request id
        included, are already there. early: nobody has answered yet, so who did and what it took is not said."""
        own = self.lines(exchange, refused=refused, early=early).split(b"\r\n")[:-1]
        headers = list(exchange.reply_headers)
        for line in own:
            name, _, value = line.partition(b": ")
            headers.append((name, value))
        return headers

    def lines(self, exchange: Exchange, *, refused: bool = False, early: bool = False) -> bytes:
        """Our own alone, as they are sent, each with its line break. Nothing of a caller's or a provider's making is in them."""
        said = b""
        if not refused:
            request_id = request_id_text(exchange.id).encode()
            if exchange.dialect.name.startswith("anthropic."):
                said = b"x-request-id: %b\r\nrequest-id: %b\r\n" % (request_id, request_id)
            else:
                said = b"x-request-id: %b\r\n" % request_id
            if self.mint is not None:
                said += b"%b: %b\r\n" % (_FEEDBACK, self.mint(exchange.id).encode())
        attempts = exchange.attempts
        if attempts and not early:
            answering = exchange.answering or attempts[-1]
            who = b""
            if exchange.answering is not None or not exchange.degraded:
                who = self._endpoint(answering.endpoint)
            instead = b""
            if _in_anothers_place(exchange, answering.endpoint):
                instead = b"%b: true\r\n" % _FALLBACK
            own = _monotonic() - exchange.received_at - exchange.waited_seconds() - exchange.queued_seconds
            hundredths = _hundredths(own)
            said = b"%b%b%b: %d\r\n%b%b: %d.%b\r\n" % (
                said,
                who,
                _ATTEMPTS,
                len(attempts),
                instead,
                _OVERHEAD,
                hundredths // 100,
                _DIGITS[hundredths % 100],
            )
        if exchange.queued_seconds:
            hundredths = _hundredths(exchange.queued_seconds)
            said += b"%b: %d.%b\r\n" % (_QUEUE, hundredths // 100, _DIGITS[hundredths % 100])
        return said

    def _endpoint(self, endpoint: Endpoint) -> bytes:
        if endpoint is self._last:
            return self._last_lines
        key = (endpoint.provider, endpoint.model, endpoint.region)
        known = self._of_endpoint.get(key)
        if known is None:
            names = ("x-headgate-provider", "x-headgate-model", "x-headgate-region")
            if any("\n" in each for each in key):
                raise RuntimeError(
                    "a header of the reply holds a line break: a provider's name, a model's or a region's"
                )
            pairs = zip(names, key, strict=True)
            known = "".join([f"{name}: {each}\r\n" for name, each in pairs if each]).encode()
            if len(self._of_endpoint) < _KEPT:
                self._of_endpoint[key] = known
        self._last, self._last_lines = endpoint, known
        return known


def _hundredths(seconds: float) -> int:
    """Of a millisecond: two digits are shown behind the point, and a format would be read anew each time."""
    return int(max(seconds, 0.0) * 100_000 + 0.5)


def _in_anothers_place(exchange: Exchange, endpoint: Endpoint) -> bool:
    """Did somebody else answer than who was asked first, or than the model that was chosen?"""
    if endpoint is not exchange.attempts[0].endpoint:
        return True
    preferred = exchange.preferred
    return bool(preferred) and not any(each is endpoint for each in preferred)
