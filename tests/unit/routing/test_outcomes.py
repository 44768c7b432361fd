"""What an answer's text and end say of its quality, what its repetition does, and who is told."""

from __future__ import annotations

from typing import Any

import pytest

from headgate.core.errors import UpstreamMalformed
from headgate.core.events import End, Stop, TextDelta
from headgate.core.frame import Frame
from headgate.core.messages import Answer, Choice, Text
from headgate.exchange.attempt import Attempt
from headgate.exchange.pumping import Pumped
from headgate.exchange.reply import Reply, whole
from headgate.routing.decision import Decision
from headgate.routing.difficulty.port import Grade, Question
from headgate.routing.outcomes import Outcomes, outcome_of
from headgate.routing.pool import Pool
from tests.support.aio import aio
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
    found = outcome_of(said(text), finish, schema=b"" if wants_json else None)
    assert (found[0] if found else None) == quality
    assert found is None or 0 < found[1] <= 1


def test_bytes_that_are_no_answer_say_nothing():
    """What passed untouched is decoded here for the first time."""

    def broken(data):
        raise UpstreamMalformed(detail="x")

    assert outcome_of(Reply(body=b"x", decode=broken), "end", schema=b"") is None


class Heard:
    """A pupil that keeps what it is told."""

    def __init__(self) -> None:
        self.lessons: list[Any] = []
        self.answers: list[Any] = []

    def learn(self, text, model, quality, weight, vector, /):
        self.lessons.append((text, model, quality, weight))

    def remember(self, request_id, model, vector):
        self.answers.append((request_id, model, vector))


def over(*, wants_json=True, text="no JSON", answered_by="a", **fields):
    """The exchange is over; what the learner heard."""
    heard = Heard()
    a, b = Pool("small", [place("a")]), Pool("large", [place("b")])
    exchange = request()
    decision = Decision("chat", pools=(a, b), question=Question("q", 1, json_schema=wants_json))
    Outcomes(heard).answered(exchange, said(text), decision)
    endpoint = {"a": a, "b": b}[answered_by].endpoints[0]
    attempt = Attempt(id=1, number=1, endpoint=endpoint, wire="openai.chat", started_at=NOW)
    attempt.finish_reason = "end"
    exchange.answering = attempt
    for name, value in fields.items():
        setattr(exchange, name, value)
    exchange.close()
    return heard.lessons


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


@pytest.mark.parametrize(("most", "heard"), [(5, 0), (63, 0), (64, 1), (None, 1)])
def test_an_answer_that_was_allowed_a_few_words_is_not_blamed_for_being_cut(most, heard):
    """It was asked for so."""
    learned = Heard()
    pool = Pool("small", [place("a")])
    exchange = request(max_tokens=most) if most else request()
    decision = Decision("chat", pools=(pool,), question=Question("q", 1))
    Outcomes(learned).answered(exchange, said("x"), decision)
    attempt = Attempt(id=1, number=1, endpoint=pool.endpoints[0], wire="openai.chat", started_at=NOW)
    attempt.finish_reason = "max_tokens"
    exchange.answering = attempt
    exchange.close()
    assert len(learned.lessons) == heard


SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "a", "schema": {"type": "object", "required": ["city", "days"]}},
}
TEXT = "Which city, and for how many days?"


class Stream:
    """Frames that can be asked for one by one, and closed."""

    def __init__(self, *texts):
        self._frames = [Frame(b"x", [TextDelta(text=text)]) for text in texts]
        self._frames.append(Frame(b"", [Stop(reason="end"), End()]))
        self.closed = False

    def __aiter__(self):
        return self

    async def __anext__(self):
        if not self._frames:
            raise StopAsyncIteration
        return self._frames.pop(0)

    async def aclose(self):
        self.closed = True


class PumpedStream(Stream):
    """Frames that can also be delivered."""

    async def pump(self, deliver):
        while self._frames:
            if not deliver(self._frames.pop(0)):
                return False
        return True


def end(exchange, pool):
    """The model of `pool` has answered to the end."""
    attempt = Attempt(id=1, number=1, endpoint=pool.endpoints[0], wire="openai.chat", started_at=NOW)
    attempt.finish_reason = "end"
    exchange.answering = attempt
    exchange.close()


def decided(pool, *, json=False, text=TEXT):
    vector = f"vector of {text}"
    return Decision(
        "chat",
        pools=(pool,),
        question=Question(text, 1, json_schema=json),
        grade=Grade("simple", 1.0, (), vector=vector),
    )


@pytest.mark.parametrize("stream", [Stream, PumpedStream])
@pytest.mark.parametrize(
    ("texts", "quality"),
    [(('{"city": "Bern",', ' "days": 3}'), 1.0), (('{"city"', ': "Bern"}'), 0.0), (("Ber", "n"), 0.0)],
)
@aio
async def test_a_stream_is_listened_to_where_json_was_asked_for(stream, texts, quality):
    """Nobody can read it afterwards; frames pass as they came, also when they are delivered."""
    heard, pool = Heard(), Pool("small", [place("a")])
    exchange = request(response_format=SCHEMA)
    reply = Reply(wire="openai.chat", frames=stream(*texts))
    beneath = reply.frames
    assert Outcomes(heard).answered(exchange, reply, decided(pool, json=True)) is reply
    assert reply.wire == "openai.chat" and isinstance(reply.frames, Pumped)
    frames: Any = reply.frames
    passed: list[Frame] = []

    def deliver(frame):
        passed.append(frame)
        return True

    first = await anext(frames)
    assert await frames.pump(deliver)
    assert [frame.data for frame in (first, *passed)] == [b"x"] * len(texts) + [b""]
    await frames.aclose()
    assert beneath.closed
    end(exchange, pool)
    assert [lesson[2] for lesson in heard.lessons] == [quality]


def test_other_streams_are_left_alone():
    """A listener costs something for every token."""
    pool = Pool("small", [place("a")])
    reply = Reply(frames=Stream("x"))
    frames = reply.frames
    Outcomes(Heard()).answered(request(), reply, decided(pool))
    assert reply.frames is frames


def test_json_without_what_its_schema_requires_is_worthless():
    """However well formed."""
    for text, quality in (('{"city": "Bern"}', 0.0), ('{"city": "Bern", "days": 3}', 1.0)):
        heard, pool = Heard(), Pool("small", [place("a")])
        exchange = request(response_format=SCHEMA)
        Outcomes(heard).answered(exchange, said(text), decided(pool, json=True))
        end(exchange, pool)
        assert [lesson[2] for lesson in heard.lessons] == [quality]


def test_who_asks_again_at_once_blames_the_model_that_answered():
    """A third of a judged score, once; not the model that answers now, and not after two minutes."""
    heard, clock = Heard(), [NOW]
    outcomes = Outcomes(heard, now=lambda: clock[0])
    small, large = Pool("small", [place("a")]), Pool("large", [place("b")])

    def ask(pool, *, session="s1", **fields):
        exchange = request(TEXT, session=session)
        for name, value in fields.items():
            setattr(exchange, name, value)
        outcomes.asked(exchange, decided(pool))
        outcomes.answered(exchange, said("Bern."), decided(pool))
        end(exchange, pool)

    blame = (TEXT, "small", 0.0, pytest.approx(1 / 3))
    ask(small)
    ask(large, session="s2")
    assert heard.lessons == []
    clock[0] += 100
    ask(large)
    assert heard.lessons == [blame]
    clock[0] += 121
    ask(large)
    assert heard.lessons == [blame]
    ask(small, session="s3", purpose="shadow")
    ask(large, session="s3")
    ask(large, session="s3", purpose="shadow")
    ask(small, session="s4", degraded="say")
    ask(large, session="s4")
    assert heard.lessons == [blame], "nobody saw the copy, and no model said the words of the ladder"


def test_what_a_score_may_come_for_is_remembered():
    """By the request, with the question as the grader read it."""
    heard, pool = Heard(), Pool("small", [place("a")])
    exchange = request(TEXT)
    Outcomes(heard).answered(exchange, said("Bern."), decided(pool))
    end(exchange, pool)
    assert heard.answers == [(exchange.id, "small", f"vector of {TEXT}")]
