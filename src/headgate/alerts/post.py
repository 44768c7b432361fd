"""Alerts over HTTP: signed webhooks, and messages in Slack's form."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Callable

from headgate.alerts.receivers import Hook, Receiver
from headgate.alerts.wording import message_id, one_line, slack_body, webhook_body
from headgate.core.errors import TransportFault
from headgate.providers.discretion import without_credentials_of
from headgate.providers.port import Timeouts, Upstream, UpstreamRequest, Url
from headgate.stores.alerts import Alert

__all__ = ["DEADLINE_SECONDS", "NotTaken", "Post", "signature"]

DEADLINE_SECONDS = 10.0
"""Of one try."""
_MOST_BYTES = 65_536
_MOST_SHOWN = 120
_AGENT = b"headgate-alerts"


class NotTaken(Exception):
    """The receiver did not take it, in words."""


class Post:
    """Posts alerts. Raises NotTaken."""

    def __init__(self, anywhere: Upstream, guarded: Upstream, wall_ns: Callable[[], int]) -> None:
        """anywhere: for addresses of the configuration. guarded: for those that were added; it keeps to addresses that
        such may reach."""
        self._anywhere = anywhere
        self._guarded = guarded
        self._wall_ns = wall_ns

    async def send(self, receiver: Receiver, hook: Hook, alert: Alert) -> str:
        """One try. Returns "": there is nothing to add. Whatever is not 2xx is no; redirects are not followed."""
        headers = [(b"content-type", b"application/json"), (b"user-agent", _AGENT)]
        if receiver.kind == "slack":
            body = slack_body(alert)
        else:
            body = webhook_body(alert)
            name, at = message_id(alert.event, receiver.id), self._wall_ns() // 1_000_000_000
            headers += [(b"webhook-id", name.encode()), (b"webhook-timestamp", b"%d" % at)]
            if hook.key:
                headers.append((b"webhook-signature", signature(hook.key, name, at, body)))
        upstream = self._anywhere if receiver.trusted else self._guarded
        limit = DEADLINE_SECONDS
        timeouts = Timeouts(connect=limit, headers=limit, first_content=limit, between=limit, total=limit)
        try:
            reply = await upstream.send(UpstreamRequest("POST", hook.url, headers, body), timeouts)
        except TransportFault as fault:
            raise NotTaken(one_line(f"{fault.code.replace('_', ' ')}: {fault.detail}")) from None
        try:
            answer = await reply.read(_MOST_BYTES)
        except TransportFault:
            # The status is what counts: who says 200 and then a page of any length would be told again for a day.
            answer = b""
        finally:
            reply.close()
        if not 200 <= reply.status < 300:
            said = without_credentials_of(_secret_parts(hook.url), answer[: 4 * _MOST_SHOWN])
            raise NotTaken(_refusal(reply.status, said))
        return ""


def signature(key: bytes, message: str, at: int, body: bytes) -> bytes:
    """The value of `webhook-signature`, as Standard Webhooks has it: HMAC-SHA256 over id, seconds since 1970 and body."""
    signed = f"{message}.{at}.".encode() + body
    return b"v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256))


def _secret_parts(url: Url) -> list[tuple[bytes, bytes]]:
    """What of a URL lets its bearer write there, in the form of headers. Servers like to say what they did not find."""
    return [(b"", part) for part in (url.target, *re.split(rb"[/?&=]", url.target)) if len(part) > 1]


def _refusal(status: int, answer: bytes) -> str:
    if 300 <= status < 400:
        return f"HTTP {status}: it points elsewhere, and redirects are not followed"
    said = one_line(answer.decode("utf-8", "replace")).strip()[:_MOST_SHOWN]
    return f"HTTP {status}{f': {said}' if said else ''}"
