"""How long an answer may be: what has no end gets one, and what is too long is cut down."""

from __future__ import annotations

from msgspec.structs import replace

from headgate.budgets.settings import AnswerTokenSettings
from headgate.core.messages import ChatRequest
from headgate.exchange.exchange import Exchange

__all__ = ["bound_answer"]


def bound_answer(exchange: Exchange, bounds: AnswerTokenSettings | None, otherwise: int | None) -> bool:
    """Put a limit on the answer into the request, if it needs one; True: it is edited by that.

    bounds: what the configuration says; otherwise: the limit where nobody says any, None for none.
    Raises MalformedBody, InvalidRequest: the request has to be read for it."""
    peek = exchange.peek
    said = peek.max_tokens
    if said is None:
        most = otherwise
        if bounds is not None:
            most = bounds.default if bounds.default is not None else bounds.most
            most = otherwise if most is None else most
        if most is None:
            return False
        exchange.limit_answer(most)
        exchange.notes["answer_tokens"] = f"limited to {most}: the request did not say"
        return False
    most = bounds.most if bounds is not None else None
    if most is None or said <= most:
        return False
    request = exchange.request
    if not isinstance(request, ChatRequest):
        return False
    exchange.edit(replace(request, max_tokens=most))
    peek.max_tokens = most
    exchange.reply_headers.append((b"x-headgate-answer-tokens", b"%d" % most))
    exchange.notes["answer_tokens"] = f"{most} in place of {said}"
    return True
