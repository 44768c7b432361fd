"""What rules may ask about a request, each found out when first asked: reading a conversation costs more than routing it."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from headgate.core.errors import InvalidRequest
from headgate.core.messages import ChatRequest
from headgate.core.tokens import estimate_tokens
from headgate.exchange.exchange import Exchange
from headgate.routing.constraints import Needs
from headgate.routing.difficulty.port import TIERS, Question, Tier
from headgate.routing.difficulty.question import abilities_of, question_of

__all__ = ["Facts"]

_MOST_TOKENS_PER_BYTE = 0.85
"""No kind of byte is estimated at more: a body below a context's size by this measure need not be read."""


class Facts:
    """One request, looked at through its exchange. Raises InvalidRequest where the caller said something that is no answer."""

    __slots__ = ("_data", "_question", "_times", "exchange", "feature", "tier")

    def __init__(self, exchange: Exchange, feature: str, *, sensitive: bool = False) -> None:
        """feature: whose rules hold; "" if none was named. sensitive: by the feature's own word."""
        self.exchange = exchange
        self.feature = feature
        self.tier: Tier | None = None
        """Set by whoever graded it."""
        self._data: bool | None = True if sensitive else None
        self._question: Question | None = None
        self._times: dict[str, datetime] = {}

    @property
    def chat(self) -> bool:
        """Is it a conversation (to be answered, or to be counted)?"""
        return self.exchange.dialect.operation in ("chat", "count_tokens")

    @property
    def question(self) -> Question:
        """The request as graders see it. Raises as reading the body does."""
        if self._question is None:
            request = self.exchange.request
            self._question = (
                question_of(request)
                if isinstance(request, ChatRequest)
                else Question(text="", tokens=estimate_tokens(self.exchange.body))
            )
        return self._question

    @property
    def tokens(self) -> int:
        """Of the whole prompt, estimated."""
        return self.question.tokens

    @property
    def modality(self) -> str:
        question = self.question
        return "file" if question.files else "image" if question.images else "text"

    @property
    def sensitive(self) -> bool:
        """By the feature, by the header `x-headgate-data`, or by the tag `data`. Nobody's word takes another's back."""
        if self._data is None:
            self._data = self._said_sensitive() or self.exchange.tags.get("data", "").lower() == "sensitive"
        return self._data

    def _said_sensitive(self) -> bool:
        """Does one of the headers `x-headgate-data` say so? There may be several, and several words in one."""
        found = False
        for name, value in self.exchange.headers:
            if name != b"x-headgate-data":
                continue
            for piece in value.decode("latin-1").split(","):
                said = piece.strip().lower()
                if said not in ("", "normal", "sensitive"):
                    # Taking a misspelt word for "normal" could send data where it must not go.
                    raise InvalidRequest(
                        f"x-headgate-data is `{said[:40]}`; it may be `sensitive` or `normal`"
                    )
                found = found or said == "sensitive"
        return found

    @property
    def asked(self) -> str:
        """The name asked for; of a copy, the one that the original's caller asked for."""
        return self.exchange.asked or self.exchange.peek.model

    @property
    def wish(self) -> Tier | None:
        """The tier that the caller, or whoever made the exchange, asks for."""
        said = self.exchange.tier or self.exchange.header(b"x-headgate-tier").strip().lower()
        if not said:
            return None
        if said not in TIERS:
            raise InvalidRequest(f"x-headgate-tier is `{said[:40]}`; it may be {', '.join(TIERS)}")
        return said

    def local(self, zone: ZoneInfo) -> datetime:
        """The moment of the request on clocks of `zone`."""
        found = self._times.get(zone.key)
        if found is None:
            found = self._times[zone.key] = datetime.fromtimestamp(self.exchange.started_ns / 1e9, zone)
        return found

    def needs(self, *, abilities: bool, least_context: int) -> Needs:
        """What an endpoint has to be able to do. abilities: is there one that lacks some? least_context: tokens of the
        smallest context known; 0: none is known. The body is read only if it matters."""
        operation = self.exchange.dialect.operation
        if operation != "chat":
            # Whoever counts a request's tokens wants to know whether it is too long.
            return Needs(("embeddings",)) if operation == "embeddings" and abilities else Needs()
        answer = self.exchange.peek.max_tokens or 0
        close = least_context and len(self.exchange.body) * _MOST_TOKENS_PER_BYTE + answer > least_context
        if not abilities and not close:
            return Needs()
        question = self.question
        wanted = abilities_of(question) if abilities else ()
        return Needs(wanted, question.tokens + answer if close else 0)
