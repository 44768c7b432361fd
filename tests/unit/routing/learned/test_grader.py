"""The learned grader chooses, explains itself, and knows when to hand on."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping

import pytest

from headgate.providers.embedding.port import EmbedderMissing
from headgate.routing.difficulty.port import Tier
from headgate.routing.learned import door
from headgate.routing.learned.beginning import begin, shipped_prior
from headgate.routing.learned.choosing import Aim
from headgate.routing.learned.grader import LearnedGrader
from headgate.routing.learned.lessons import Lessons, schema_failed, scored, user_retried
from headgate.routing.learned.model import LearnedModelUnusable
from headgate.routing.learned.training import learn_from, train
from headgate.testing.embedder import WordEmbedder
from tests.support.aio import aio
from tests.unit.routing.learned.classroom import Steady, question, rows

__all__: list[str] = []

MODELS: Mapping[Tier, str] = {"simple": "small", "medium": "small", "complex": "large"}
EASY, HARD = question("greet a guest and say hello"), question("prove the bound and derive the lemma")
NEARLY_ALL = Aim(quality=0.85)
USD = {"small": 0.001, "large": 0.010}


def usd_of(model: str, tokens: int) -> float:
    return USD[model] * tokens / 100


async def grader(
    aim: Aim = NEARLY_ALL, *, otherwise: Steady | None = None, learned_after: float = 0.0
) -> LearnedGrader:
    model = await train(rows(200), WordEmbedder())
    return LearnedGrader(
        model,
        WordEmbedder(),
        usd_of=usd_of,
        aim=aim,
        otherwise=otherwise or Steady(),
        learned_after=learned_after,
    )


@aio
async def test_easy_questions_go_to_the_small_model_and_hard_ones_to_the_large() -> None:
    """The tier is the lowest that the chosen model serves; quality is told for every model at stake."""
    chosen = await grader()
    easy, hard = await chosen.grade(EASY, MODELS), await chosen.grade(HARD, MODELS)
    assert (easy.tier, hard.tier) == ("simple", "complex")
    assert easy.quality.keys() == {"small", "large"}
    assert hard.quality["large"] > hard.quality["small"]
    assert hard.confidence > 0.9
    assert hard.reasons[0].startswith("`large` is expected to reach 0.")
    assert "not worth the difference" in easy.reasons[1]


@aio
async def test_a_small_budget_takes_the_small_model_even_for_hard_questions() -> None:
    """And says so by its confidence, which a feature may act on."""
    chosen = await grader(Aim(usd_per_1000=0.5))
    grade = await chosen.grade(HARD, MODELS)
    assert grade.tier == "simple"
    assert grade.confidence < 0.1


@aio
async def test_unknown_models_are_left_to_the_other_grader() -> None:
    """With the reason, so that an explained decision does not pretend."""
    other = Steady("complex")
    chosen = await grader(otherwise=other)
    grade = await chosen.grade(EASY, {"simple": "new", "complex": "large"})
    assert (grade.tier, other.asked) == ("complex", 1)
    assert "too little is known of `new`" in grade.reasons[-1]


@aio
async def test_too_few_outcomes_are_left_to_the_other_grader() -> None:
    """Where the operator asks for that."""
    other = Steady()
    assert (await (await grader(otherwise=other, learned_after=201)).grade(EASY, MODELS)).tier == "medium"
    assert (await (await grader(otherwise=other, learned_after=200)).grade(EASY, MODELS)).tier == "simple"
    assert other.asked == 1


@aio
async def test_a_busy_embedder_does_not_stop_a_request() -> None:
    """The other grader answers at once."""
    chosen = await grader()
    embedder = WordEmbedder()
    embedder.busy = True
    chosen._embedder = embedder
    grade = await chosen.grade(HARD, MODELS)
    assert grade.tier == "medium"
    assert "too much to do" in grade.reasons[-1]


@aio
async def test_an_installation_without_labels_begins_with_the_prior_and_learns() -> None:
    """Unmet models get the heads their tiers suggest; outcomes then change the choice."""
    embedder = WordEmbedder()
    model = begin(embedder.fingerprint, embedder.dimensions, shipped_prior())
    aim = Aim(share_of_best=0.9)
    chosen = LearnedGrader(model, embedder, usd_of=usd_of, aim=aim, otherwise=Steady())
    before = await chosen.grade(HARD, MODELS)
    assert before.quality["large"] > before.quality["small"]
    lessons = Lessons(model, embedder)
    for row in rows(60):
        lessons.offer(scored(row.prompt, row.model, row.score))
    assert await lessons.learn_waiting() == 120
    after = await chosen.grade(HARD, MODELS)
    assert after.quality["large"] - after.quality["small"] > 0.3
    assert (await chosen.grade(EASY, MODELS)).tier == "simple"


@aio
async def test_the_tier_of_a_model_decides_what_is_believed_of_it_at_first() -> None:
    """A model between two others begins between them."""
    embedder = WordEmbedder()
    model = begin(embedder.fingerprint, embedder.dimensions, shipped_prior())
    chosen = LearnedGrader(model, embedder, usd_of=lambda *_: 0.0, aim=Aim(), otherwise=Steady())
    found = (await chosen.grade(HARD, {"simple": "a", "medium": "b", "complex": "c"})).quality
    assert found["a"] < found["b"] < found["c"]


@aio
async def test_a_budget_is_spread_over_the_questions_that_come() -> None:
    """Solved over the latest questions: when they become dearer, fewer go to the large model."""
    chosen = await grader(Aim(usd_per_1000=6.0))
    assert (await chosen.grade(HARD, MODELS)).tier == "complex"
    for at in range(300):
        await chosen.grade(question(f"prove the lemma number {at}", tokens=1000), MODELS)
    assert (await chosen.grade(HARD, MODELS)).tier == "simple"


@aio
async def test_outcomes_count_by_what_they_say() -> None:
    """A failed schema is a failure, a user who asks again is a hint."""
    embedder = WordEmbedder()
    drops = []
    for outcome in (schema_failed(HARD.text, "large"), user_retried(HARD.text, "large")):
        model = await train(rows(200), embedder)
        [embedding] = await embedder.embed([HARD.text])
        vector = model.vector(HARD.text, embedding)
        before = model.expect(vector, ["large"])["large"].quality
        lessons = Lessons(model, embedder)
        lessons.offer(outcome)
        await lessons.learn_waiting()
        drops.append(before - model.expect(vector, ["large"])["large"].quality)
    assert drops[0] > drops[1] > 0


@aio
async def test_a_full_line_of_outcomes_lets_the_oldest_go_and_counts() -> None:
    """Requests never wait for lessons, and nothing is lost silently."""
    lessons = Lessons(await train(rows(20), WordEmbedder()), WordEmbedder(), waiting=3)
    for at in range(5):
        lessons.offer(scored(f"question {at}", "small", 1.0))
    assert lessons.dropped == 2
    assert await lessons.learn_waiting() == 3
    assert lessons.model.seen("small") == 23


@aio
async def test_lessons_wait_while_requests_need_the_embedder() -> None:
    """What could not be learned is kept and learned once."""
    embedder = WordEmbedder()
    lessons = Lessons(await train(rows(20), embedder), embedder)
    lessons.offer(scored("question", "small", 1.0))
    embedder.busy = True
    with pytest.raises(Exception, match="busy"):
        await lessons.learn_waiting()
    embedder.busy = False
    assert await lessons.learn_waiting() == 1
    assert lessons.learned == 1


@aio
async def test_the_door_opens_what_learning_wrote() -> None:
    """Bytes in, a grader out; bytes of another embedder are refused."""
    embedder = WordEmbedder()
    data = (await train(rows(200), embedder)).dump()
    opened = door.open_learned_grader(data, embedder, usd_of=usd_of, otherwise=Steady(), quality=0.85)
    assert (await opened.grade(HARD, MODELS)).tier == "complex"
    embedder.fingerprint = "another"
    with pytest.raises(LearnedModelUnusable):
        door.open_learned_grader(data, embedder, usd_of=usd_of, otherwise=Steady())


def test_without_the_extra_the_door_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """The core does without numpy."""
    data = learn_from(rows(20), WordEmbedder())
    monkeypatch.setitem(sys.modules, "numpy", None)
    for name in [name for name in sys.modules if name.startswith("headgate.routing.learned.")]:
        if name != door.__name__:
            monkeypatch.delitem(sys.modules, name)
    with pytest.raises(EmbedderMissing, match=r"headgate\[embed\]"):
        door.open_learned_grader(data, WordEmbedder(), usd_of=usd_of, otherwise=Steady())


class Failing(WordEmbedder):
    """Breaks at one text."""

    async def embed(self, texts):
        if any("broken" in text for text in texts):
            raise RuntimeError("bad allocation")
        return await super().embed(texts)


@aio
async def test_an_outcome_that_cannot_be_learned_is_let_go_and_told(caplog: pytest.LogCaptureFixture) -> None:
    """One bad text must not be the end of all lessons."""
    embedder = Failing()
    lessons = Lessons(await train(rows(20), WordEmbedder()), embedder)
    task = asyncio.create_task(lessons.run())
    for text in ("question", "broken", "another question", "broken again"):
        lessons.offer(scored(text, "small", 1.0))
    while lessons.learned + lessons.failed < 4:
        await asyncio.sleep(0)
    assert (lessons.learned, lessons.failed, task.done()) == (2, 2, False)
    assert caplog.text.count("could not be learned") == 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
