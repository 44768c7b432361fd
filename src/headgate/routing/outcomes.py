"""What can be seen of an answer's quality without judging it, told to whoever learns from it.

JSON was wanted and the text is none: worthless. It is: good, as far as that goes. Cut off at the limit: probably worse than
hoped. Anything else says nothing, and answers that failed, were given up or came from the degrade ladder say nothing of a model.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from headgate.core.errors import GatewayError
from headgate.core.messages import Answer, StopReason
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.routing.decision import Decision

__all__ = ["Learner", "outcome_of", "tell_when_over"]

_HALF_SURE = 1 / 3
"""Weight of a sign beside a judged score's 1."""
_CUT_OFF = 0.3


class Learner(Protocol):
    """Takes outcomes in. Called when an exchange closes; never waits, never fails."""

    def __call__(self, text: str, model: str, quality: float, weight: float, /) -> None:
        """text: the question as graders saw it. model: its name in our configuration. quality: 0 to 1."""
        ...


def tell_when_over(exchange: Exchange, reply: Reply, decision: Decision, learner: Learner) -> None:
    """When the exchange closes, tell `learner` what can be said of the answer, if anything."""
    question = decision.question
    if question is None:
        return

    def tell() -> None:
        attempt = exchange.answering
        if attempt is None or exchange.error is not None or exchange.hung_up or exchange.degraded:
            return
        found = outcome_of(reply, attempt.finish_reason, wants_json=question.json_schema)
        model = next((pool.model for pool in decision.pools if attempt.endpoint in pool.endpoints), "")
        if found is not None and model:
            learner(question.text, model, *found)

    exchange.on_close(tell)


def outcome_of(reply: Reply, finish: StopReason | None, *, wants_json: bool) -> tuple[float, float] | None:
    """(quality, weight), or None if nothing can be said. The text of a stream is gone by now: only its end is looked at."""
    if finish == "max_tokens":
        return _CUT_OFF, _HALF_SURE
    if not wants_json or reply.streaming or finish not in ("end", "stop_sequence"):
        return None
    try:
        answer = reply.answer
    except GatewayError:
        return None
    if not isinstance(answer, Answer) or not answer.text:
        return None
    return (1.0, _HALF_SURE) if _is_json(answer.text) else (0.0, 1.0)


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
