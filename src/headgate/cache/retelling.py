"""An answer from before, told again: whole or streamed, in the dialect of whoever asks, at once or word by word.

It is the same answer: it keeps the id, the model's name, and the usage that it had when it was made. So whoever keeps answers
by their id has it once, and what it did not cost is said where costs are said: in headers and records."""

from __future__ import annotations

import asyncio
import re
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence

import msgspec

from headgate.core.events import Event, TextDelta, ThinkingDelta, ToolCallDelta, events_of
from headgate.core.frame import Frame
from headgate.core.messages import Answer, EmbeddingsReply, TokenCount
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from headgate.stores.answers import CacheEntry

__all__ = ["Retelling", "decoded", "spoken_pieces"]

MEMO_BYTES = 16_000_000
"""Of what was written lately, to be written again: a third of the cost of a hit is the writing."""
_LARGEST = 250_000
LONGEST_SECONDS = 20.0
"""What is told word by word is told faster if it would take longer."""
SLOWEST = 20.0
FASTEST = 200.0
"""Pieces a second."""
_USUAL = 60.0
_WORD = re.compile(r"\s*\S+\s*")
_ARGUMENTS = 24
"""Characters of a piece of a tool's arguments."""

_KINDS: dict[str, type[Answer | EmbeddingsReply | TokenCount]] = {
    "chat": Answer,
    "embeddings": EmbeddingsReply,
    "count_tokens": TokenCount,
}


def decoded(entry: CacheEntry) -> Answer | EmbeddingsReply | TokenCount:
    """The entry's answer, for one caller alone. Raises msgspec.MsgspecError."""
    return msgspec.json.decode(entry.answer, type=_KINDS[entry.operation])


class Retelling:
    """Tells entries, and remembers how it has written them."""

    def __init__(self, *, most_bytes: int = MEMO_BYTES) -> None:
        self._most = most_bytes
        self._memo: OrderedDict[tuple[object, ...], tuple[bytes, Sequence[Event]]] = OrderedDict()
        self.bytes = 0
        """Held now, about."""

    def tell(self, exchange: Exchange, entry: CacheEntry, *, natural: bool = False) -> Reply:
        """The reply for this caller. Raises msgspec.MsgspecError for an entry that holds no answer."""
        if entry.operation == "embeddings":
            # Numbers or base64: whoever writes it knows what was asked for.
            return whole(decoded(entry))
        dialect, peek = exchange.dialect, exchange.peek
        stream = peek.stream and entry.operation == "chat"
        if stream and natural:
            answer = decoded(entry)
            assert isinstance(answer, Answer)
            return Reply(frames=_Paced(spoken_pieces(events_of(answer)), _seconds_each(entry, answer)))
        # What is written depends on these, and on nothing else.
        about = (
            entry.key,
            entry.origin_id,
            entry.made_ns,
            dialect.name,
            stream,
            peek.include_usage,
            peek.max_tokens if stream else None,
        )
        known = self._memo.get(about)
        if known is not None:
            self._memo.move_to_end(about)
            data, events = known
        else:
            answer = decoded(entry)
            events = ()
            if stream:
                assert isinstance(answer, Answer)
                events = events_of(answer)
                data = dialect.encoder(peek).feed(events)
            else:
                data = dialect.whole(answer)
            if not (stream and peek.metadata):
                self._remember(about, data, events)
        if stream:
            return Reply(wire=dialect.name, frames=_Once(Frame(data, events)))
        return Reply(wire=dialect.name, body=data, decode=lambda _: decoded(entry))

    def clear(self) -> None:
        """Forget everything."""
        self._memo.clear()
        self.bytes = 0

    def _remember(self, about: tuple[object, ...], data: bytes, events: Sequence[Event]) -> None:
        if len(data) > _LARGEST:
            return
        self._memo[about] = data, events
        self.bytes += _size(data, events)
        while self.bytes > self._most:
            _, (old, theirs) = self._memo.popitem(last=False)
            self.bytes -= _size(old, theirs)


def spoken_pieces(events: Sequence[Event]) -> list[Event]:
    """The same in small pieces, as a model would say it."""
    pieces: list[Event] = []
    for event in events:
        if isinstance(event, TextDelta):
            pieces += [
                TextDelta(text=word, choice=event.choice, kind=event.kind) for word in _words(event.text)
            ]
        elif isinstance(event, ThinkingDelta) and not event.redacted:
            pieces += [ThinkingDelta(text=word, choice=event.choice) for word in _words(event.text)]
            if event.signature or not event.text:
                pieces.append(ThinkingDelta(signature=event.signature, choice=event.choice))
        elif isinstance(event, ToolCallDelta):
            text = event.arguments
            pieces += [
                ToolCallDelta(index=event.index, arguments=text[at : at + _ARGUMENTS], choice=event.choice)
                for at in range(0, len(text), _ARGUMENTS)
            ]
        else:
            pieces.append(event)
    return pieces


def _words(text: str) -> list[str]:
    # What is nothing but space is a piece too: nothing is lost.
    return _WORD.findall(text) or ([text] if text else [])


def _seconds_each(entry: CacheEntry, answer: Answer) -> float:
    """How long a piece takes: about as long as it took when it was made."""
    said = answer.usage.completion if answer.usage is not None else 0
    rate = said / (entry.took_us / 1e6) if said and entry.took_us else _USUAL
    return 1.0 / min(max(rate, SLOWEST), FASTEST)


def _size(data: bytes, events: Sequence[Event]) -> int:
    # Events hold the text once more.
    return len(data) * (2 if events else 1) + 500


class _Once:
    """A stream of one frame. No generator: it has nothing to be closed."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame: Frame | None = frame

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        frame, self._frame = self._frame, None
        if frame is None:
            raise StopAsyncIteration
        return frame

    async def aclose(self) -> None:
        """Nothing is open."""


class _Paced:
    """A stream that is told piece by piece."""

    __slots__ = ("_at", "_each", "_pieces", "_said")

    def __init__(self, pieces: Sequence[Event], each: float) -> None:
        self._pieces = pieces
        self._each = min(each, LONGEST_SECONDS / max(len(pieces), 1))
        self._at = 0
        self._said = 0.0
        """The moment when the last piece was due."""

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        if self._at >= len(self._pieces):
            raise StopAsyncIteration
        now = asyncio.get_running_loop().time()
        due = max(self._said + self._each, now - 1.0) if self._said else now
        if due > now:
            await asyncio.sleep(due - now)
        self._said = due
        event = self._pieces[self._at]
        self._at += 1
        return Frame(None, (event,))

    async def aclose(self) -> None:
        """It is told no further."""
        self._at = len(self._pieces)
