"""What the demonstration asks: the kinds of calls that a product with several AI features makes, mishaps included."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["FREQUENT", "QUESTIONS", "SCENARIOS", "Body", "Scenario"]

QUESTIONS = (
    "My order 4711 has not arrived. What can I do?",
    "How do I return a jacket that is too small?",
    "Kann ich meine Rechnung auch per Post bekommen?",
    "¿Cuánto tarda el envío a Canarias?",
    "Which of your plans fits a team of five?",
    "パスワードを忘れました。どうすればいいですか。",
    "Is the red one back in stock?",
    "I was charged twice this month, please help.",
)
FREQUENT: tuple[tuple[str, ...], ...] = (
    ("When is the shop open?", "What are your opening hours?"),
    ("How do I return a jacket that is too small?", "My jacket is too small. How can I send it back?"),
    ("Can I pay by invoice?", "Is it possible to pay by invoice?"),
    ("How do I change my password?", "Where can I set another password?"),
    ("Do you ship to islands?", "Can you send things to an island?"),
    ("Do you ship abroad?", "Can you send things to another country?"),
    ("Do you not ship on weekends?",),
)
"""What everybody asks: each question, and the same in other words."""
_TEXT = (
    "The canal was dug in three summers. In the first, the upper field had water and the lower field had none; in the "
    "second it was the other way round. In the third the villages built a gate at the head, measured the river each "
    "morning, and let every field have its share. Nobody remembers who thought of it, but the gate still stands. "
)

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
    key: str = "office"
    """Whose it is: `shop` and `office` are applications, `first` is the first key; anything else is sent as it is."""
    fault: str = ""
    """What the simulated provider is asked to do wrong."""
    checked: bool = False
    """A program looks whether the answer is what the schema asks for."""
    talk: bool = False
    """A turn of a conversation between a user and the shop's assistant."""


def _chat(feature: str, *, stream: bool = False, said: str = "", **more: Any) -> Body:
    def body(dice: random.Random) -> Mapping[str, Any]:
        text = said.format(dice.randint(4000, 4999)) if said else dice.choice(QUESTIONS)
        system = {"role": "system", "content": "You help customers of a small shop. Be brief and kind."}
        messages = [system, {"role": "user", "content": text}]
        return {"model": feature, "messages": messages, "stream": stream, "max_tokens": 120, **more}

    return body


def _frequent(*, stream: bool = False, other_words: bool = False, first: bool = False) -> Body:
    def body(dice: random.Random) -> Mapping[str, Any]:
        # Some are asked far more often than others.
        ways = FREQUENT[0 if first else min(int(dice.expovariate(0.5)), len(FREQUENT) - 1)]
        text = dice.choice(ways[1:]) if other_words and len(ways) > 1 else ways[0]
        return {
            "model": "questions",
            "messages": [
                {"role": "system", "content": "You answer questions about a small shop in one sentence."},
                {"role": "user", "content": text},
            ],
            "stream": stream,
            "max_tokens": 600,
            "temperature": 0,
        }

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
    return {"model": "search", "input": dice.sample(QUESTIONS, 3)}


def _responses(dice: random.Random) -> Mapping[str, Any]:
    return {"model": "support-chat", "input": dice.choice(QUESTIONS), "max_output_tokens": 100}


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
_ORDER = "Where is order {}?"

SCENARIOS = (
    Scenario("chat, streamed", 34, _CHAT, _chat("support-chat", stream=True), key="shop", talk=True),
    Scenario("chat", 18, _CHAT, _chat("support-chat"), key="shop", talk=True),
    Scenario(
        "chat with a tool",
        6,
        _CHAT,
        _chat("support-chat", tools=_TOOLS, tool_choice="required"),
        key="shop",
    ),
    Scenario("classify into a schema", 18, _CHAT, _chat("classify", response_format=_KIND), checked=True),
    Scenario("summarise (Anthropic)", 8, _MESSAGES, _messages("summarise", "Summarise this.")),
    Scenario(
        "summarise, streamed (Anthropic)", 8, _MESSAGES, _messages("summarise", "Shorten this.", stream=True)
    ),
    Scenario(
        "analyse, streamed (Anthropic)", 4, _MESSAGES, _messages("analyse", "Why did it work?", stream=True)
    ),
    Scenario("embeddings", 12, "/v1/embeddings", _embeddings, key="shop"),
    Scenario("responses", 5, "/v1/responses", _responses, key="shop"),
    # Of these two the second is answered from memory, also if there is one of each.
    Scenario("what is asked most", 5, _CHAT, _frequent(first=True), key="shop"),
    Scenario("what is asked most, streamed", 3, _CHAT, _frequent(first=True, stream=True), key="shop"),
    Scenario("what everybody asks", 9, _CHAT, _frequent(), key="shop"),
    Scenario("what everybody asks, streamed", 7, _CHAT, _frequent(stream=True), key="shop"),
    Scenario("the same in other words", 6, _CHAT, _frequent(other_words=True), key="shop"),
    Scenario("where an order is", 14, _CHAT, _chat("order-status", said=_ORDER), key="shop"),
    Scenario(
        "a flaky provider", 6, _CHAT, _chat("rehearse-failure"), expected=(200, 429, 500, 502, 503, 504)
    ),
    Scenario(
        "a provider that is down",
        2,
        _CHAT,
        _chat("night-report"),
        expected=(500, 502, 503, 504),
    ),
    Scenario("a caller who hangs up", 3, _CHAT, _chat("summarise", stream=True), hang_up_after=600),
    Scenario(
        "an answer that breaks off",
        1,
        _CHAT,
        _chat("analyse", stream=True),
        fault="cut:8",
    ),
    Scenario(
        "a prompt that a provider refuses",
        1,
        _CHAT,
        _chat("analyse"),
        expected=(400,),
        fault="content_filter",
    ),
    Scenario(
        "a provider's own limit",
        1,
        _CHAT,
        _chat("sim/sim-small"),
        expected=(429,),
        key="first",
        fault="rate_limit:1",
    ),
    Scenario("a model that is not there", 1, _CHAT, _chat("assistant"), expected=(404,)),
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
