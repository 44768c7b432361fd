"""What the demonstration's operators do, by way of `/api`: keys, people, feedback, a replay."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

__all__ = [
    "Answer",
    "Ask",
    "Told",
    "alerts_since",
    "newcomers",
    "over_http",
    "replay",
    "replayable",
    "tell_judgements",
]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    """0: nothing did."""
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """Of the body. Raises ValueError."""
        return json.loads(self.body)


Ask = Callable[..., Coroutine[Any, Any, Answer]]
"""`ask(method, path, headers, body, hang_up_after=0)`; hang_up_after: bytes of the answer, 0: read it all."""


def over_http(url: str) -> Ask:
    """Asks a gateway at this address, each time on a connection of its own."""
    parts = urlsplit(url)

    async def ask(
        method: str, path: str, headers: Mapping[str, str], body: bytes = b"", *, hang_up_after: int = 0
    ) -> Answer:
        try:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        except OSError:
            return Answer(0, {}, b"")
        try:
            lines = [f"{method} {path} HTTP/1.1", f"host: {parts.netloc}", "connection: close"]
            lines += [f"{name}: {value}" for name, value in headers.items()]
            lines += ["content-type: application/json", f"content-length: {len(body)}", "", ""]
            writer.write("\r\n".join(lines).encode() + body)
            status, told = _head(await reader.readuntil(b"\r\n\r\n"))
            if hang_up_after:
                await reader.readexactly(hang_up_after)
                writer.transport.abort()
                return Answer(status, told, b"")
            data = await reader.read()
            return Answer(status, told, _unchunked(data) if "transfer-encoding" in told else data)
        except (OSError, asyncio.IncompleteReadError, ValueError):
            return Answer(0, {}, b"")
        finally:
            writer.close()

    return ask


def _head(data: bytes) -> tuple[int, dict[str, str]]:
    first, *lines = data.decode("latin-1").split("\r\n")
    pairs = (line.partition(":") for line in lines if line)
    return int(first.split(" ", 2)[1]), {name.lower(): value.strip() for name, _, value in pairs}


def _unchunked(data: bytes) -> bytes:
    pieces = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        pieces.append(data[:length])
        data = data[length + 2 :]
        if not length:
            break
    return b"".join(pieces)


async def newcomers(ask: Ask, first: str) -> dict[str, str]:
    """Make a key for each of two applications, and let two people sign in. The keys by name, with the first one."""
    headers = {"authorization": f"Bearer {first}"}
    keys = {"first": first}
    for name, team in (("shop", "storefront"), ("office", "back-office")):
        made = await _told(
            ask,
            "POST",
            "/api/keys",
            headers,
            {"name": name, "team": team, "tenant": "the-shop", "note": "of the demonstration"},
        )
        keys[name] = made.json["key"] if made.status == 201 else first
    for email, role in (("ann@shop.example", "operator"), ("ben@shop.example", "reviewer")):
        await _told(
            ask, "POST", "/api/people", headers, {"email": email, "name": email[:3].title(), "roles": [role]}
        )
    return keys


async def tell_judgements(
    ask: Ask, keys: Mapping[str, str], by: str, items: Sequence[Mapping[str, Any]]
) -> Answer:
    """Tell up to 100 judgements: the shop those of its users, the office those of its program."""
    if by == "user":
        path, key, more = "/api/feedback", keys["shop"], {}
    else:
        path, key, more = "/api/scores", keys["office"], {"evaluator": "ticket-schema", "version": "1"}
    return await _told(ask, "POST", path, {"authorization": f"Bearer {key}"}, {"items": list(items), **more})


async def replay(ask: Ask, first: str, request: str, **changes: Any) -> Answer:
    """Send a recorded request again, changed."""
    return await _told(
        ask, "POST", f"/api/requests/{request}/replay", {"authorization": f"Bearer {first}"}, changes
    )


async def replayable(ask: Ask, first: str, feature: str) -> str:
    """The latest good answer of this feature, to be sent again; "" if there is none."""
    found = await ask(
        "GET", f"/api/requests?feature={feature}&limit=20", {"authorization": f"Bearer {first}"}
    )
    with contextlib.suppress(ValueError, LookupError, TypeError):
        for item in found.json["items"]:
            if item["outcome"] == "ok" and not item.get("purpose") and not item.get("degraded"):
                return str(item["id"])
    return ""


async def _told(ask: Ask, method: str, path: str, headers: Mapping[str, str], body: object) -> Answer:
    sent = json.dumps(body, ensure_ascii=False).encode()
    return await ask(method, path, headers, sent)


@dataclass(frozen=True, slots=True)
class Told:
    """An alert."""

    at_ns: int
    severity: str
    text: str
    rule: str
    """The rule that it is of; "" if of none."""
    state: str
    """Into which it came."""


async def alerts_since(ask: Ask, first: str, since_ns: int) -> list[Told]:
    """Alerts from that moment on, the latest first."""
    answer = await ask("GET", "/api/alerts?since=1d&limit=100", {"authorization": f"Bearer {first}"})
    if answer.status != 200:
        return []
    told = []
    for item in answer.json["items"]:
        at_ns = int(datetime.fromisoformat(item["at"]).timestamp() * 1e9)
        if at_ns >= since_ns:
            facts = item["facts"]
            rule, state = str(facts.get("rule", "")), str(facts.get("state", ""))
            told.append(Told(at_ns, item["severity"], item["text"], rule, state))
    return told
