"""What can be seen of an answer's quality without judging it, told to whoever learns from it.

JSON was wanted and the text is none, or lacks what its schema requires: worthless. It is and has it: good, as far as that
goes. Cut off at the limit: probably worse than hoped. Asked again at once by the same person: often a sign that the answer
was bad, sometimes the line was. Anything else says nothing, and answers that failed, were given up or came from the degrade
ladder say nothing of a model.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

from headgate.core.errors import GatewayError
from headgate.core.events import AnswerBuilder
from headgate.core.messages import Answer, ChatRequest, StopReason
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.routing.decision import Decision
from headgate.routing.hearing import Hearing
from headgate.routing.json_shape import fits
from headgate.routing.repeats import Repeats

__all__ = ["Learner", "Outcomes", "Pupil", "outcome_of"]

_HALF_SURE = 1 / 3
"""Weight of a sign beside a judged score's 1."""
_CUT_OFF = 0.3
_SHORT = 64
"""Tokens: who allows fewer wants to see a beginning, and has seen it."""


class Pupil(Protocol):
    """Learns, now and from scores that come later. Never waits, never fails."""

    def learn(self, text: str, model: str, quality: float, weight: float, vector: Any, /) -> None:
        """Something was seen of an answer.

        text: the question as graders saw it. model: its name in our configuration. quality: 0 to 1. weight: what it counts
        beside a judged score. vector: the question as the grader read it, None if it did not."""
        ...

    def remember(self, request_id: int, model: str, vector: Any) -> None:
        """This request was answered by that model. vector: as in `learn`."""
        ...


class Learner(Protocol):
    """Watches a feature's requests. Never waits, never fails."""

    def asked(self, exchange: Exchange, decision: Decision) -> None:
        """It was decided where the request goes."""
        ...

    def answered(self, exchange: Exchange, reply: Reply, decision: Decision) -> Reply:
        """It is being answered. Returns the same reply, listened to if its text matters."""
        ...


class Outcomes:
    """The Learner: tells a pupil what is seen. Remembers no text, and a bounded number of questions."""

    def __init__(self, pupil: Pupil, *, now: Callable[[], float] = time.monotonic) -> None:
        """now: seconds of a clock that never goes back."""
        self._pupil = pupil
        self._now = now
        self._repeats = Repeats()

    def asked(self, exchange: Exchange, decision: Decision) -> None:
        """See `Learner`. The same question again: the answer before was probably not what was hoped for."""
        question = decision.question
        if question is None or exchange.purpose:
            return
        # The vector of the earlier question: its last words are the same, and those are all that was read.
        vector = decision.grade.vector if decision.grade is not None else None
        model = self._repeats.asked_again(exchange, question.text, self._now())
        if model:
            self._pupil.learn(question.text, model, 0.0, _HALF_SURE, vector)

    def answered(self, exchange: Exchange, reply: Reply, decision: Decision) -> Reply:
        """See `Learner`. What is said of the answer is said when the exchange closes."""
        question = decision.question
        if question is None:
            return reply
        told: AnswerBuilder | None = None
        if question.json_schema and reply.frames is not None:
            told = AnswerBuilder()
            # Not `with_frames`: nothing is edited, so bytes may go on passing untouched.
            reply.frames = Hearing(reply.frames, told)
        exchange.on_close(lambda: self._closed(exchange, reply, decision, told))
        return reply

    def _closed(
        self, exchange: Exchange, reply: Reply, decision: Decision, told: AnswerBuilder | None
    ) -> None:
        attempt, question = exchange.answering, decision.question
        if attempt is None or question is None:
            return
        if exchange.error is not None or exchange.hung_up or exchange.degraded:
            return
        model = next((pool.model for pool in decision.pools if attempt.endpoint in pool.endpoints), "")
        if not model:
            return
        vector = decision.grade.vector if decision.grade is not None else None
        if not exchange.purpose:
            self._repeats.answered(exchange, question.text, model, self._now())
        self._pupil.remember(exchange.id, model, vector)
        schema = _schema(exchange) if question.json_schema else None
        found = outcome_of(
            reply,
            attempt.finish_reason,
            schema=schema,
            told=told.answer() if told is not None else None,
            most_tokens=exchange.peek.max_tokens,
        )
        if found is not None:
            self._pupil.learn(question.text, model, *found, vector)


def outcome_of(
    reply: Reply,
    finish: StopReason | None,
    *,
    schema: bytes | None,
    told: Answer | None = None,
    most_tokens: int | None = None,
) -> tuple[float, float] | None:
    """(quality, weight), or None if nothing can be said.

    schema: of the JSON that was asked for, empty for any; None: none was. told: what a stream said; its reply is empty by
    now. most_tokens: what the caller allowed the answer; None: it did not say."""
    if finish == "max_tokens":
        return (_CUT_OFF, _HALF_SURE) if most_tokens is None or most_tokens >= _SHORT else None
    if schema is None or finish not in ("end", "stop_sequence"):
        return None
    answer: object = told
    if told is None and not reply.streaming:
        try:
            answer = reply.answer
        except GatewayError:
            return None
    if not isinstance(answer, Answer) or not answer.text:
        return None
    return (1.0, _HALF_SURE) if fits(answer.text, schema) else (0.0, 1.0)


def _schema(exchange: Exchange) -> bytes:
    request = exchange.request
    wanted = request.response_format if isinstance(request, ChatRequest) else None
    return bytes(wanted.schema) if wanted is not None else b""
