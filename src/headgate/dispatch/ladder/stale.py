"""Last good answers: what was answered well before is answered again, marked as old, when no model can.

Kept is what the same key got for the same request of the same feature: everything a provider could see is part of the
comparison, so whatever the answer says follows from what its asker has sent. Calls of tools are not kept: an action that
was right yesterday is not to be repeated from memory.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import msgspec

from headgate.core.clock import Clock, SystemClock
from headgate.core.messages import Answer, ChatRequest, EmbeddingsReply, Operation, Text, Thinking, TokenCount
from headgate.core.usage import Usage
from headgate.dispatch.ladder.answer import MODEL
from headgate.exchange.dialect import LocalReply
from headgate.exchange.exchange import Exchange

__all__ = ["Kept", "MemoryStale", "StaleAnswers", "key_of", "packed", "unpacked"]

MOST_BYTES = 16_000_000
_MOST_OF_ONE = 500_000
_MOST_REQUEST = 1_000_000
"""Bytes of a request that is looked at: long ones hardly come twice, and comparing them costs."""
_ENTRY = 300
"""Bytes that an entry takes beside its answer, about."""

_json = msgspec.json.Encoder(order="deterministic")
_KINDS: dict[Operation, type[Answer | EmbeddingsReply | TokenCount]] = {
    "chat": Answer,
    "embeddings": EmbeddingsReply,
    "count_tokens": TokenCount,
}
_GOOD = ("end", "stop_sequence")


@dataclass(frozen=True, slots=True)
class Kept:
    """A good answer from before."""

    answer: bytes
    """As `packed` made it."""
    kept_ns: int
    """When, on the wall's clock."""
    origin_id: int = 0
    """The request that it was made for; 0 if that is not known."""


class StaleAnswers(Protocol):
    """Where last good answers are kept. Made so that a cache shared by nodes can be one too."""

    async def last(self, key: bytes) -> Kept | None:
        """The last answer kept under `key`, if it is not gone. Asked only when no model answered. Never raises."""
        ...

    def keep(self, key: bytes, answer: bytes, *, seconds: float) -> None:
        """Keep `answer` under `key`, instead of an earlier one, for at most so long. Never waits, never raises."""
        ...


class MemoryStale:
    """Fulfils `StaleAnswers` within this process and a bound of bytes: what was kept longest ago goes first."""

    def __init__(self, clock: Clock | None = None, *, most_bytes: int = MOST_BYTES) -> None:
        self._clock = clock or SystemClock()
        self._most = most_bytes
        self._entries: OrderedDict[bytes, tuple[Kept, float]] = OrderedDict()
        self.bytes = 0
        """Held now, about."""

    async def last(self, key: bytes) -> Kept | None:
        """See `StaleAnswers`."""
        self._forget_old()
        entry = self._entries.get(key)
        if entry is None or entry[1] <= self._clock.monotonic():
            return None
        return entry[0]

    def keep(self, key: bytes, answer: bytes, *, seconds: float) -> None:
        """See `StaleAnswers`."""
        self._drop(key)
        if len(answer) > min(_MOST_OF_ONE, self._most - _ENTRY):
            return
        kept = Kept(answer, self._clock.wall_ns())
        self._entries[key] = (kept, self._clock.monotonic() + seconds)
        self.bytes += len(answer) + _ENTRY
        self._forget_old()
        while self.bytes > self._most:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Let go of all answers."""
        self._entries.clear()
        self.bytes = 0

    def _forget_old(self) -> None:
        # In the order they were kept; features with another age make it a little untidy, and the bound holds anyhow.
        now = self._clock.monotonic()
        while self._entries:
            key, (_, until) = next(iter(self._entries.items()))
            if until > now:
                return
            self._drop(key)

    def _drop(self, key: bytes) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self.bytes -= len(entry[0].answer) + _ENTRY


def key_of(exchange: Exchange) -> bytes | None:
    """What tells this request from every other one: who asks, for what, and all that a provider could see. None: it is too
    long to be compared."""
    if len(exchange.body) > _MOST_REQUEST:
        return None
    request = exchange.request
    # How the answer is written makes no other answer of it.
    if isinstance(request, ChatRequest):
        request = msgspec.structs.replace(request, stream=False, include_usage=False)
    else:
        request = msgspec.structs.replace(request, encoding="float")
    caller = exchange.caller
    who = (caller.tenant, caller.team, caller.key_id) if caller is not None else ()
    # Whom an application asks for stands in a header or in the body; the name on the exchange may be cut off.
    whom = (exchange.user, [value.hex() for name, value in exchange.headers if name == b"x-headgate-user"])
    said = _json.encode((who, whom, exchange.feature, exchange.dialect.operation, request))
    return blake2b(said, digest_size=16).digest()


def packed(answer: LocalReply) -> bytes | None:
    """`answer`, to be kept; None if it is none to be given again: broken off, filtered, empty, or a call of tools."""
    if isinstance(answer, Answer):
        good = bool(answer.choices) and all(
            choice.stop_reason in _GOOD
            and all(isinstance(part, Text | Thinking) for part in choice.parts)
            and any(isinstance(part, Text) and part.text for part in choice.parts)
            for choice in answer.choices
        )
        return _json.encode(answer) if good else None
    if isinstance(answer, TokenCount):
        return _json.encode(answer) if answer.exact else None
    return _json.encode(answer) if isinstance(answer, EmbeddingsReply) and answer.vectors else None


def unpacked(answer: bytes, operation: Operation) -> LocalReply:
    """What `packed` made, as an answer of ours: it cost nothing, and no model is named for it. Raises DecodeError."""
    found = msgspec.json.decode(answer, type=_KINDS[operation])
    if isinstance(found, TokenCount):
        return found
    if isinstance(found, Answer):
        found.id, found.created, found.extra, found.extra_wire = "", 0, {}, ""
        for choice in found.choices:
            # Signed thinking is a vendor's own, to be sent back to it in its time; fingerprints name a model.
            choice.parts = [part for part in choice.parts if isinstance(part, Text)]
            choice.extra = {}
    found.model = MODEL
    found.usage = Usage()
    return found
