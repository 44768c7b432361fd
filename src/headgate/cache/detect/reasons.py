"""Why a request is not answered from memory.

What users wrote is looked at, in all turns: a follow-up to "what is the weather?" is about now as well. Not what the operator's
system prompt says, for its date is in every request and no business of the question's, and not what the model answered.
Vectors and counts of tokens follow from their text alone: nothing but `sensitive` data narrows them. Pictures and documents are
not looked into.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MappingProxyType

from headgate.cache.detect.dates import names_a_date
from headgate.cache.detect.ids import names_a_number
from headgate.cache.detect.names import names_a_person
from headgate.cache.detect.personal import asks_of_own, data_in
from headgate.cache.detect.prices import names_a_price
from headgate.cache.detect.times import about_now
from headgate.cache.detect.tools import uses_tools
from headgate.cache.policy import CachePolicy
from headgate.cache.settings import Reason
from headgate.core.messages import (
    Answer,
    ChatRequest,
    EmbeddingsRequest,
    Opaque,
    Operation,
    Text,
    Thinking,
    ToolCall,
)
from headgate.exchange.dialect import LocalReply

__all__ = [
    "DETECTORS",
    "MOST_CHARS",
    "is_personal",
    "personal_in",
    "prepare",
    "reason_in",
    "said_by_users",
    "why_not",
]

MOST_CHARS = 60_000
"""Characters of users' words that are looked through, which takes 40 ms at worst; what is longer is not kept."""


def _is_personal_text(text: str) -> bool:
    return bool(data_in(text)) or asks_of_own(text)


DETECTORS: Mapping[Reason, tuple[Callable[[str], bool], str]] = MappingProxyType(
    {
        "personal": (_is_personal_text, "it is about personal data"),
        "ids": (names_a_number, "it names the number of an order, account or the like"),
        "time": (about_now, "it asks about now"),
        "dates": (names_a_date, "it names a date"),
        "prices": (names_a_price, "it names a price"),
        "names": (names_a_person, "it names a person"),
    }
)
"""What each looks for in a text, and what it says then. All but `tools`, which no text tells."""


@lru_cache(maxsize=1)
def prepare() -> None:
    """Make the expressions ready, which takes two tenths of a second: before the first request, so that none waits for it."""
    # It holds something of each, so that none of them stops at its first look.
    text = "tell ann b: 4 x 123456 AB123456 a@b"
    for speaks_against, _ in DETECTORS.values():
        speaks_against(text)
        speaks_against("")


def why_not(
    request: ChatRequest | EmbeddingsRequest, policy: CachePolicy, operation: Operation = "chat"
) -> str:
    """Why the request is neither answered from memory nor its answer kept, in words and without contents; "" if it may be.
    The name behind it is what the feature's `let` may hold."""
    if not isinstance(request, ChatRequest) or operation != "chat":
        return ""
    settings = policy.settings
    if settings.when != "always" and request.temperature != 0:
        return "its temperature is not 0 (`when`)"
    if request.native_only:
        return f"`{request.native_only}` is answered from what the provider remembers"
    if "tools" not in settings.let and uses_tools(request):
        return "it may call tools (`tools`)"
    text = said_by_users(request)
    if len(text) > MOST_CHARS and not DETECTORS.keys() <= set(settings.let):
        return "it is too long to be looked through"
    reason = reason_in(text, let=settings.let)
    return f"{DETECTORS[reason][1]} (`{reason}`)" if reason else ""


def reason_in(text: str, *, let: list[Reason] | tuple[Reason, ...] = ()) -> Reason | None:
    """The first reason that `text` gives; None if it gives none but those in `let`."""
    for reason, (speaks_against, _) in DETECTORS.items():
        if reason not in let and speaks_against(text):
            return reason
    return None


def is_personal(request: ChatRequest | EmbeddingsRequest, operation: Operation = "chat") -> bool:
    """Do users' words hold personal data, or ask about the asker's own? Asked where that alone is no reason (`let`): then the
    answer is still nobody else's."""
    if not isinstance(request, ChatRequest) or operation != "chat":
        return False
    text = said_by_users(request)
    return len(text) > MOST_CHARS or _is_personal_text(text)


def personal_in(answer: LocalReply) -> str:
    """What personal data an answer holds, in words and without it; "" if none was found. Vectors and counts hold none."""
    if not isinstance(answer, Answer):
        return ""
    texts: list[str] = []
    for choice in answer.choices:
        for part in choice.parts:
            if isinstance(part, Text | Thinking):
                texts.append(part.text)
            elif isinstance(part, ToolCall):
                texts.append(part.arguments)
            elif isinstance(part, Opaque):
                texts.append(bytes(part.raw).decode("utf-8", "replace"))
    text = "\n".join(texts)
    return "too much to be looked through" if len(text) > MOST_CHARS else data_in(text)


def said_by_users(request: ChatRequest) -> str:
    """The text of all turns of the user's side, tools' results left out."""
    return "\n".join(
        part.text
        for message in request.messages
        if message.role == "user"
        for part in message.parts
        if isinstance(part, Text)
    )
