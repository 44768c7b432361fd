"""Whether what is to be sent to a collector can leave: an address, deadlines, headers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headgate.config.model import Settings
from headgate.config.problems import Key
from headgate.providers.port import Url

__all__ = ["check_telemetry"]

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_OURS = frozenset({"content-type", "content-encoding", "content-length", "host"})
_SHORTEST = 0.1


def check_telemetry(settings: Settings) -> Iterator[tuple[Key, str]]:
    """Key and what would be right, for everything that cannot work."""
    otlp = settings.telemetry.otlp
    key: Key = ("telemetry", "otlp")
    if otlp.endpoint and (wrong := _wrong_endpoint(otlp.endpoint)):
        yield (*key, "endpoint"), wrong
    if otlp.every < _SHORTEST:
        yield (*key, "every"), "must be at least 100ms"
    for name in ("timeout", "give_up"):
        if getattr(otlp, name) <= 0:
            yield (*key, name), "must be more than 0"
    for name, value in otlp.headers.items():
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            yield (*key, "headers", name), "is no name of a header of yours"
        elif not value.isascii() or not value.isprintable():
            # Not repeated: it may be a token.
            yield (*key, "headers", name), "holds a character that a header cannot carry"
    if otlp.content and not settings.records.content:
        yield (*key, "content"), "there is none to send: `records.content` is off"


def _wrong_endpoint(endpoint: str) -> str:
    try:
        url = Url.parse(endpoint)
    except ValueError:
        return "must be an address such as http://collector:4318"
    if b"?" in url.target:
        return "must have no `?`: /v1/traces and /v1/metrics are added to it"
    if url.target.endswith((b"/v1/traces", b"/v1/metrics")):
        return "is the address before /v1/traces and /v1/metrics, which are added"
    return ""
