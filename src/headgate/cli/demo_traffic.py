"""The demonstration's traffic: what a product with several AI features sends in a minute, mishaps included."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

__all__ = ["PER_SECOND", "SCENARIOS", "Scenario", "Sent", "send_for"]

PER_SECOND = 5
"""Calls begun each second."""

_QUESTIONS = (
    "My order 4711 has not arrived. What can I do?",
    "How do I return a jacket that is too small?",
    "Kann ich meine Rechnung auch per Post bekommen?",
    "¿Cuánto tarda el envío a Canarias?",
    "Which of your plans fits a team of five?",
    "パスワードを忘れました。どうすればいいですか。",
    "Is the red one back in stock?",
    "I was charged twice this month, please help.",
)
_TEXT = (
    "The canal was dug in three summers. In the first, the upper field had water and the lower field had none; in the "
    "second it was the other way round. In the third the villages built a gate at the head, measured the river each "
    "morning, and let every field have its share. Nobody remembers who thought of it, but the gate still stands. "
)
_USERS = ("ada", "bo", "chen", "dora", "emil", "fatima", "gus", "hana")

Body = Callable[[random.Random], Mapping[str, Any] | bytes]


@dataclass(frozen=True, slots=True)
class Scenario:
    """One kind of call."""

    name: str
    weight: int
    """How often, beside the others."""
    path: str
    body: Body
    expected: tuple[int, ...] = (200,)
    """Statuses that are no surprise."""
    hang_up_after: int = 0
    """Close the connection after so many bytes of the answer; 0: read it all."""
    key: str = ""
    """Another key than the demonstration's."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one call, seen by the client."""

    scenario: str
    status: int
    """0: no answer came."""
    expected: bool
    seconds: float


def _chat(feature: str, *, stream: bool = False, **more: Any) -> Body:
    def body(dice: random.Random) -> Mapping[str, Any]:
        said = {"role": "user", "content": dice.choice(_QUESTIONS)}
        system = {"role": "system", "content": "You help customers of a small shop. Be brief and kind."}
        return {"model": feature, "messages": [system, said], "stream": stream, "max_tokens": 120, **more}

    return body


def _messages(feature: str, prompt: str, *, stream: bool = False, **more: Any) -> Body:
    def body(dice: random.Random) -> Mapping[str, Any]:
        text = f"{prompt} ({dice.randrange(1000)})\n\n{_TEXT * dice.randint(1, 4)}"
        return {
            "model": feature,
            "max_tokens": 160,
            "stream": stream,
            "messages": [{"role": "user", "content": text}],
            **more,
        }

    return body


def _embeddings(dice: random.Random) -> Mapping[str, Any]:
    return {"model": "search", "input": dice.sample(_QUESTIONS, 3)}


def _responses(dice: random.Random) -> Mapping[str, Any]:
    return {"model": "support-chat", "input": dice.choice(_QUESTIONS), "max_output_tokens": 100}


_KIND = {
    "type": "json_schema",
    "json_schema": {
        "name": "ticket",
        "schema": {
            "type": "object",
            "properties": {
                "topic": {"type": "string", "enum": ["delivery", "return", "billing", "product"]},
                "urgent": {"type": "boolean"},
            },
            "required": ["topic", "urgent"],
            "additionalProperties": False,
        },
    },
}
_TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "order_status",
            "description": "Where an order is",
            "parameters": {
                "type": "object",
                "properties": {"order": {"type": "integer"}},
                "required": ["order"],
            },
        },
    }
]

_CHAT, _MESSAGES = "/v1/chat/completions", "/v1/messages"

SCENARIOS = (
    Scenario("chat, streamed", 30, _CHAT, _chat("support-chat", stream=True)),
    Scenario("chat", 15, _CHAT, _chat("support-chat")),
    Scenario("chat with a tool", 6, _CHAT, _chat("support-chat", tools=_TOOLS, tool_choice="required")),
    Scenario("classify into a schema", 20, _CHAT, _chat("classify", response_format=_KIND)),
    Scenario("summarise (Anthropic)", 8, _MESSAGES, _messages("summarise", "Summarise this.")),
    Scenario(
        "summarise, streamed (Anthropic)", 8, _MESSAGES, _messages("summarise", "Shorten this.", stream=True)
    ),
    Scenario(
        "analyse, streamed (Anthropic)", 4, _MESSAGES, _messages("analyse", "Why did it work?", stream=True)
    ),
    Scenario("embeddings", 12, "/v1/embeddings", _embeddings),
    Scenario("responses", 5, "/v1/responses", _responses),
    Scenario(
        "a flaky provider", 6, _CHAT, _chat("rehearse-failure"), expected=(200, 429, 500, 502, 503, 504)
    ),
    Scenario(
        "a provider that is down", 2, _CHAT, _chat("sim/sim-down"), expected=(429, 500, 502, 503, 504, 529)
    ),
    Scenario("a caller who hangs up", 3, _CHAT, _chat("summarise", stream=True), hang_up_after=600),
    Scenario(
        "a wrong type", 2, _CHAT, lambda _: {"model": "support-chat", "messages": "Hello"}, expected=(400,)
    ),
    Scenario("a wrong key", 2, _CHAT, _chat("support-chat"), expected=(401,), key="hg_wrong"),
    Scenario(
        "a broken body",
        1,
        _CHAT,
        lambda _: b'{"model": "support-chat", "messages": [',
        expected=(400,),
    ),
)


async def send_for(seconds: float, url: str, key: str, sent: Callable[[Sent], None]) -> None:
    """Send traffic for so long, each kind at least once, then wait for the answers under way."""
    dice = random.Random(7)  # noqa: S311 - traffic, not secrets
    total = max(round(seconds * PER_SECOND), len(SCENARIOS))
    begun = time.monotonic()
    async with asyncio.TaskGroup() as calls:
        for number, scenario in enumerate(_choice(dice, total)):
            await asyncio.sleep(max(0.0, begun + number * seconds / total - time.monotonic()))
            calls.create_task(_one(scenario, dice, url, key, sent))


def _choice(dice: random.Random, total: int) -> Iterator[Scenario]:
    yield from SCENARIOS
    yield from dice.choices(SCENARIOS, [each.weight for each in SCENARIOS], k=total - len(SCENARIOS))


async def _one(
    scenario: Scenario, dice: random.Random, url: str, key: str, sent: Callable[[Sent], None]
) -> None:
    user = dice.choice(_USERS)
    body = scenario.body(dice)
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    headers = {
        "authorization": f"Bearer {scenario.key or key}",
        "x-headgate-user": user,
        "x-headgate-session": f"{user}-{dice.randint(1, 3)}",
        "x-headgate-tags": "demo",
    }
    began = time.monotonic()
    try:
        status = await _post(f"{url}{scenario.path}", headers, data, scenario.hang_up_after)
    except (OSError, asyncio.IncompleteReadError, ValueError):
        status = 0
    sent(Sent(scenario.name, status, status in scenario.expected, time.monotonic() - began))


async def _post(url: str, headers: Mapping[str, str], body: bytes, hang_up_after: int) -> int:
    """POST on a connection of its own; the status, after the whole answer or the hang-up."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    try:
        lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", "content-type: application/json"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [f"content-length: {len(body)}", "connection: close", "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        head = await reader.readuntil(b"\r\n\r\n")
        if hang_up_after:
            await reader.readexactly(hang_up_after)
            writer.transport.abort()
        else:
            while await reader.read(65_536):
                pass
        return int(head.split(b" ", 2)[1])
    finally:
        writer.close()
