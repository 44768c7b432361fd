"""What an answer's end says of its quality, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import UpstreamMalformed
from headgate.core.messages import Answer, Choice, Text
from headgate.exchange.attempt import Attempt
from headgate.exchange.reply import Reply, whole
from headgate.routing.decision import Decision
from headgate.routing.difficulty.port import Question
from headgate.routing.outcomes import outcome_of, tell_when_over
from headgate.routing.pool import Pool
from tests.support.routes import NOW, place, request

__all__: list[str] = []


def said(text):
    return whole(Answer(choices=[Choice(parts=[Text(text=text)])]))


@pytest.mark.parametrize(
    ("text", "finish", "wants_json", "quality"),
    [
        ('{"a": 1}', "end", True, 1.0),
        ("Sure! Here is your JSON.", "end", True, 0.0),
        ('{"a": ', "max_tokens", True, 0.3),
        ("anything", "max_tokens", False, 0.3),
        ("anything", "end", False, None),
        ("", "end", True, None),
        ("[" * 10_000, "end", True, 0.0),
        ("a tool is called instead", "tool_use", True, None),
        ("refused", "content_filter", True, None),
    ],
)
def test_an_answers_end_says_something_of_its_quality_or_nothing(text, finish, wants_json, quality):
    """JSON that is none is worthless; a sign counts less than a judged score."""
    found = outcome_of(said(text), finish, wants_json=wants_json)
    assert (found[0] if found else None) == quality
    assert found is None or 0 < found[1] <= 1


def test_bytes_that_are_no_answer_say_nothing():
    """What passed untouched is decoded here for the first time."""

    def broken(data):
        raise UpstreamMalformed(detail="x")

    assert outcome_of(Reply(body=b"x", decode=broken), "end", wants_json=True) is None


def over(*, wants_json=True, text="no JSON", answered_by="a", **fields):
    """The exchange is over; what the learner heard."""
    heard: list[Any] = []
    a, b = Pool("small", [place("a")]), Pool("large", [place("b")])
    exchange = request()
    decision = Decision("chat", pools=(a, b), question=Question("q", 1, json_schema=wants_json))
    tell_when_over(exchange, said(text), decision, lambda *told: heard.append(told))
    endpoint = {"a": a, "b": b}[answered_by].endpoints[0]
    attempt = Attempt(id=1, number=1, endpoint=endpoint, wire="openai.chat", started_at=NOW)
    attempt.finish_reason = "end"
    exchange.answering = attempt
    for name, value in fields.items():
        setattr(exchange, name, value)
    exchange.close()
    return heard


def test_the_model_that_answered_is_the_one_that_is_judged():
    """A fallback's answer says nothing of the model that failed."""
    assert over() == [("q", "small", 0.0, 1.0)]
    assert over(answered_by="b") == [("q", "large", 0.0, 1.0)]


@pytest.mark.parametrize(
    "fields",
    [{"degraded": "say"}, {"hung_up": True}, {"error": UpstreamMalformed(detail="x")}, {"answering": None}],
)
def test_answers_that_failed_or_were_not_a_models_teach_nothing(fields):
    """Nor those that nobody waited for."""
    assert over(**fields) == []
