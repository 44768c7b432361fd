"""Streams that break off, and targets that finish them or do not."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import pytest

from headgate.core.errors import GatewayError, UpstreamCut
from headgate.core.events import (
    AnswerBuilder,
    Begin,
    End,
    Event,
    Stop,
    TextDelta,
    ToolCallBegin,
    ToolCallDelta,
    UsageReport,
)
from headgate.core.frame import Frame
from headgate.core.messages import ChatRequest, Part
from headgate.core.usage import Usage
from headgate.dispatch.attempting import NoPlace
from headgate.dispatch.resuming import Resuming
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.providers.port import Endpoint

__all__ = [
    "ASK",
    "CUT",
    "STORY",
    "BrokenAnswer",
    "FakeStream",
    "Said",
    "all_of",
    "answer",
    "broken",
    "call",
    "endpoint",
    "folded",
    "text_of",
    "well_formed",
    "words",
]

ASK = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "How does a lock work?"}]}
STORY = "Open the upper gate first. Wait until the levels are equal, 小舟 wait outside. Then go."
CUT = UpstreamCut(detail="cut")

Said = Sequence[Event | GatewayError | asyncio.Event]


class FakeStream:
    """Says what it was told to, a frame per event."""

    def __init__(self, attempt: Attempt, said: Said) -> None:
        self.attempt = attempt
        self._said = list(said)
        self.closed = 0

    async def __anext__(self) -> Frame:
        await asyncio.sleep(0)
        if not self._said:
            raise StopAsyncIteration
        one = self._said.pop(0)
        if isinstance(one, asyncio.Event):
            await one.wait()
            return Frame(None, [])
        if isinstance(one, GatewayError):
            self.attempt.error = one
            raise one
        return Frame(b"raw", [one])

    async def aclose(self) -> None:
        self.closed += 1


class BrokenAnswer:
    """An exchange whose stream breaks off, and the targets that may finish it: each plays its answers in order."""

    def __init__(
        self, first: Said, *targets: Iterable[Said | GatewayError | NoPlace], ask: dict[str, Any] = ASK
    ) -> None:
        body = json.dumps(ask).encode()
        self.exchange = Exchange(
            id=1, dialect=OpenAIChat(), body=body, headers=[], received_at=0.0, started_ns=0
        )
        self.endpoints = [endpoint(f"p{number}") for number in range(1, len(targets) + 1)]
        self._answers = {id(one): list(answers) for one, answers in zip(self.endpoints, targets, strict=True)}
        self.asked: list[tuple[str, ChatRequest | None]] = []
        self.streams = [FakeStream(self.attempt(endpoint("p0")), first)]
        self.exchange.answering = self.exchange.attempts[0]

    def attempt(self, one: Endpoint) -> Attempt:
        number = len(self.exchange.attempts) + 1
        attempt = Attempt(id=number, number=number, endpoint=one, wire="openai.chat", started_at=0.0)
        self.exchange.attempts.append(attempt)
        return attempt

    async def open(self, one: Endpoint, request: ChatRequest | None) -> FakeStream:
        self.asked.append((one.provider, request))
        await asyncio.sleep(0)
        answer = self._answers[id(one)].pop(0)
        if isinstance(answer, NoPlace):
            raise answer
        attempt = self.attempt(one)
        if isinstance(answer, GatewayError):
            attempt.error = answer
            raise answer
        self.streams.append(FakeStream(attempt, answer))
        self.exchange.answering = attempt
        return self.streams[-1]

    def resuming(self, **settings: Any) -> Resuming:
        return Resuming(self.exchange, self.streams[0], self.endpoints, self.open, **settings)

    async def told(self, **settings: Any) -> list[Event]:
        """All that the caller was told."""
        return [event async for frame in self.resuming(**settings) for event in frame.events]

    async def failed(self, **settings: Any) -> tuple[GatewayError, str]:
        """The error that the caller learned of, and the text before it."""
        said = ""
        frames = self.resuming(**settings)
        with pytest.raises(GatewayError) as caught:
            async for frame in frames:
                said += text_of(frame.events)
        assert [frame async for frame in frames] == []
        return caught.value, said

    @property
    def kinds(self) -> list[str]:
        return [f"{name} {'restart' if request is None else 'continuation'}" for name, request in self.asked]


def endpoint(name: str, *, lacks: Iterable[str] = ()) -> Endpoint:
    unused: Any = None
    return Endpoint(name, "llama", unused, unused, lacks=frozenset(lacks))


def words(text: str, size: int = 5) -> list[Event]:
    return [TextDelta(text=text[at : at + size]) for at in range(0, len(text), size)]


def answer(text: str, *, usage: Usage | None = None, size: int = 5) -> list[Event]:
    report: list[Event] = [UsageReport(usage=usage)] if usage else []
    return [Begin(id="x", model="m"), *words(text, size), Stop(reason="end"), *report, End()]


def broken(text: str, error: GatewayError = CUT) -> list[Event | GatewayError]:
    return [Begin(id="first", model="m"), *words(text), error]


def text_of(events: Iterable[Event]) -> str:
    return "".join([event.text for event in events if isinstance(event, TextDelta)])


def well_formed(events: Sequence[Event]) -> bool:
    """One beginning at the front, one reason to stop, one end at the back."""
    kinds = [type(event) for event in events]
    return (
        (kinds[0], kinds[-1]) == (Begin, End)
        and kinds.count(Begin) == kinds.count(End) == kinds.count(Stop) == 1
        and kinds.count(UsageReport) <= 1
    )


async def all_of(frames: AsyncIterator[Frame]) -> list[Frame]:
    return [frame async for frame in frames]


def call(arguments: str, *, index: int = 0, name: str = "weather", id: str = "a") -> list[Event]:  # noqa: A002
    return [
        ToolCallBegin(index=index, id=id, name=name),
        *[ToolCallDelta(index=index, arguments=arguments[at : at + 3]) for at in range(0, len(arguments), 3)],
    ]


def folded(events: Iterable[Event]) -> list[Part]:
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    return builder.answer().choices[0].parts
