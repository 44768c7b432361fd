"""Who asks the same again soon after an answer. Remembers hashes and names of models, no word of a question."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

from headgate.core.messages import ChatRequest, Text, ToolResult
from headgate.exchange.exchange import Exchange

__all__ = ["Repeats"]

SECONDS = 120.0
"""From the end of an answer: who asks later may have other reasons."""
MOST = 10_000
_TELLING = 24
"""Characters that a question must have to be the same one in a longer conversation: "go on" is said again without reproach."""


@dataclass(frozen=True, slots=True)
class _Answered:
    at: float
    model: str
    messages: int


class Repeats:
    """The latest questions that were answered, by who asked what."""

    def __init__(self, *, seconds: float = SECONDS, most: int = MOST) -> None:
        self._seconds = seconds
        self._most = most
        self._answered: dict[bytes, _Answered] = {}

    def __len__(self) -> int:
        return len(self._answered)

    def answered(self, exchange: Exchange, text: str, model: str, now: float) -> None:
        """`model` has answered this question, to its end."""
        key, request = _key(exchange, text), exchange.request
        if not key or not isinstance(request, ChatRequest):
            return
        self._answered.pop(key, None)
        if len(self._answered) >= self._most:
            del self._answered[next(iter(self._answered))]
        self._answered[key] = _Answered(now, model, len(request.messages))

    def asked_again(self, exchange: Exchange, text: str, now: float) -> str:
        """The model that answered the same question just before; "" if none did. Said once for each answer.

        The same: in the same session, or without one by the same user of the same key, about the same feature, with the
        same last words in a conversation that has not grown, or that has if there are enough of them. A step of a tool loop
        is no question: its last words were not said again."""
        key, request = _key(exchange, text), exchange.request
        earlier = self._answered.get(key) if key else None
        if earlier is None or not isinstance(request, ChatRequest) or not _is_question(request):
            return ""
        if len(request.messages) > earlier.messages and len(text) < _TELLING:
            return ""
        del self._answered[key]
        return earlier.model if now - earlier.at <= self._seconds else ""


def _is_question(request: ChatRequest) -> bool:
    last = request.messages[-1] if request.messages else None
    if last is None or last.role != "user" or any(isinstance(part, ToolResult) for part in last.parts):
        return False
    return any(isinstance(part, Text) for part in last.parts)


def _key(exchange: Exchange, text: str) -> bytes:
    """Empty if nobody could be told from others behind the same key."""
    user = exchange.user or exchange.peek.user
    who = ("session", exchange.session) if exchange.session else ("user", user)
    if not who[1] or not text:
        return b""
    key_id = exchange.caller.key_id if exchange.caller is not None else ""
    said = "\0".join((key_id, *who, exchange.feature, text))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=16).digest()
