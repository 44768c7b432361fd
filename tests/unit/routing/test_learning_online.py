"""A feature with a learned grader, from the question to what is learned of its answer: the real parts, a fake embedder."""

from __future__ import annotations

import pytest

from headgate.core.messages import Answer, Choice, Text
from headgate.exchange.attempt import Attempt
from headgate.exchange.reply import whole
from headgate.routing.directory import Directory
from headgate.routing.feature import Feature
from headgate.routing.learned.lessons import MOST_ANSWERED, Lessons
from headgate.routing.learning import Learning
from headgate.routing.settings import RouteSettings
from headgate.routing.stage import Router
from headgate.testing.embedder import WordEmbedder
from tests.support.aio import aio
from tests.support.routes import NOW, place, request

__all__: list[str] = []

ROUTE = RouteSettings(simple="small", complex="large", grader="learned", quality_floor=0.1)
TEXT = "Prove that the water in the old canal does not rise."


class Class:
    """A feature that learns, in this process."""

    def __init__(self, monkeypatch, tmp_path):
        self.embedder = WordEmbedder()
        monkeypatch.setattr("headgate.routing.learning.open_embedder", lambda _file: self.embedder)
        self.learning = Learning(str(tmp_path / "router.bin"), {}, usd_of=lambda model, tokens: 0.0)
        grader, learner = self.learning.grader_of("chat", ROUTE)
        feature = Feature(
            models=("small",),
            tiers={"simple": "small", "medium": "small", "complex": "large"},
            grader=grader,
            learner=learner,
        )
        directory = Directory(
            features={"chat": feature},
            models={"small": [place("a")], "large": [place("b")]},
            providers={"a": "openai"},
            make=lambda provider, model: place(f"{provider}/{model}"),
        )
        self.router = Router(directory)

    async def ask(self, number, answer="Two metres.", **more):
        """One request, answered by whom the router chose; its exchange, closed."""
        exchange = request(TEXT, model="chat", number=number, **more)

        async def proceed(passed):
            endpoint = passed.candidates[0]
            attempt = Attempt(id=1, number=1, endpoint=endpoint, wire="openai.chat", started_at=NOW)
            attempt.finish_reason = "end"
            passed.answering = attempt
            return whole(Answer(choices=[Choice(parts=[Text(text=answer)])]))

        await self.router(exchange, proceed)
        exchange.close()
        return exchange

    async def learn(self):
        """What waits."""
        return await self.learning._lessons.learn_waiting()

    def seen(self, model):
        return self.learning._lessons.model.seen(model)


@pytest.fixture(name="school")
def _school(monkeypatch, tmp_path):
    return Class(monkeypatch, tmp_path)


@aio
async def test_a_score_teaches_without_reading_the_question_again(school):
    """It is remembered as the grader read it."""
    exchange = await school.ask(1)
    model = exchange.routed_model
    before, read = school.seen(model), len(school.embedder.asked)
    assert school.learning.score(exchange.id, 0.9) and await school.learn() == 1
    assert school.seen(model) == before + 1 and len(school.embedder.asked) == read == 1


@aio
async def test_bad_scores_turn_the_router_away(school):
    """From the model that earned them."""
    first = (await school.ask(1)).routed_model
    for number in range(2, 40):
        exchange = await school.ask(number)
        school.learning.score(exchange.id, 0.0 if exchange.routed_model == first else 1.0)
        await school.learn()
    assert (await school.ask(99)).routed_model != first


@aio
async def test_a_score_for_something_unknown_is_said_to_be_so(school):
    """And one that is none is refused."""
    assert not school.learning.score(123, 1.0)
    assert not Learning("", {}, usd_of=lambda model, tokens: 0.0).score(1, 1.0)
    for value in (-0.1, 1.1, float("nan")):
        with pytest.raises(ValueError, match="from 0 to 1"):
            school.learning.score(123, value)


@aio
async def test_asking_again_and_broken_json_are_learned(school):
    """The one at a third of a score."""
    model = (await school.ask(1, session="s")).routed_model
    await school.ask(2, session="s")
    assert await school.learn() == 1 and school.seen(model) == pytest.approx(1 / 3)
    await school.ask(3, answer="Sure!", response_format={"type": "json_object"})
    assert await school.learn() == 1
    assert len(school.embedder.asked) == 3, "each question is read once"


@aio
async def test_a_question_that_nobody_had_time_to_read_is_not_remembered(school):
    """Its signs are learned all the same, when there is time."""
    school.embedder.busy = True
    exchange = await school.ask(1, answer="Sure!", response_format={"type": "json_object"})
    assert not school.learning.score(exchange.id, 1.0)
    school.embedder.busy = False
    assert await school.learn() == 1


@aio
async def test_memory_for_scores_is_bounded(school):
    """The oldest goes."""
    lessons = school.learning._lessons
    assert isinstance(lessons, Lessons)
    vector = lessons.model.vector(TEXT, (await school.embedder.embed([TEXT]))[0])
    for number in range(MOST_ANSWERED + 2):
        lessons.remember(number, "small", vector)
    assert [lessons.score(number, 1.0) for number in (0, 1, 2, MOST_ANSWERED + 1)] == [
        False,
        False,
        True,
        True,
    ]
