"""An answer of our own making, as the caller expects answers: whole or streamed, in every dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from time import time

import msgspec

from headgate.core.events import Event, TextDelta, events_of
from headgate.core.frame import Frame
from headgate.core.messages import Answer, ChatRequest, Choice, Text
from headgate.core.usage import Usage
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole

__all__ = ["MODEL", "NoAnswer", "Spelled", "fits", "replied", "spoken", "wants_json"]

MODEL = "headgate/degraded"
"""What stands where a model's name is expected: nobody shall take the answer for a model's."""

_MOST_CHOICES = 16
_PIECE = 24
"""Characters of a streamed piece, about: small enough for a page that types them, few enough to cost little."""


class NoAnswer(Exception):
    """This rung cannot answer; the text says why, for the record."""


def spoken(text: str, request: ChatRequest) -> Answer:
    """`text` as a complete answer that cost nothing: each choice that was asked for says it."""
    count = min(max(request.choices, 1), _MOST_CHOICES)
    return Answer(
        model=MODEL,
        created=int(time()),
        choices=[Choice(parts=[Text(text=text)], stop_reason="end") for _ in range(count)],
        usage=Usage(),
    )


def wants_json(request: ChatRequest) -> bool:
    """Will the answer be parsed?"""
    return request.response_format is not None


class _Shape(msgspec.Struct):
    """The part of a JSON Schema that can be checked in three lines."""

    type: str | list[str] = ""
    required: list[str] = []


def fits(text: str, request: ChatRequest) -> bool:
    """May `text` be given where JSON was asked for? It must be JSON; an object with the required keys, if the schema
    asks for an object. Whoever asked for no JSON gets any text."""
    wanted = request.response_format
    if wanted is None:
        return True
    try:
        value = msgspec.json.decode(text)
        shape = (
            msgspec.json.decode(wanted.schema, type=_Shape) if bytes(wanted.schema) else _Shape(type="object")
        )
    except (msgspec.DecodeError, UnicodeEncodeError):
        return False
    if shape.type != "object":
        return True
    return isinstance(value, dict) and all(name in value for name in shape.required)


def replied(exchange: Exchange, answer: LocalReply) -> Reply:
    """`answer` as the caller asked for it."""
    if isinstance(answer, Answer) and exchange.peek.stream:
        return Reply(frames=Spelled(answer))
    return whole(answer)


class Spelled:
    """The stream that spells an answer, in small pieces."""

    def __init__(self, answer: Answer) -> None:
        self._frames = _frames(answer)

    def __aiter__(self) -> Spelled:
        return self

    async def __anext__(self) -> Frame:
        for frame in self._frames:
            return frame
        raise StopAsyncIteration

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `exchange.reply.Pumped`."""
        return all(deliver(frame) for frame in self._frames)

    async def aclose(self) -> None:
        """Nothing is open."""
        self._frames = iter(())


def _frames(answer: Answer) -> Iterator[Frame]:
    for event in events_of(answer):
        for piece in _pieces(event):
            yield Frame(None, [piece])


def _pieces(event: Event) -> Iterator[Event]:
    if not isinstance(event, TextDelta):
        yield event
        return
    text, begin = event.text, 0
    while begin < len(text):
        end = text.find(" ", begin + _PIECE) + 1 or len(text)
        # Text without spaces must not come in one lump either.
        end = min(end, begin + 2 * _PIECE)
        yield TextDelta(text=text[begin:end], choice=event.choice, kind=event.kind)
        begin = end
