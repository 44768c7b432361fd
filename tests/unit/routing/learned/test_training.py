"""Scored answers become a model that knows who answers what, and that survives being a file."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.routing.learned.beginning import begin, shipped_prior
from headgate.routing.learned.model import LearnedModel, LearnedModelUnusable
from headgate.routing.learned.training import (
    BadTrainingRow,
    TrainingRow,
    learn_from,
    model_of,
    parse_rows,
    train,
)
from headgate.testing.embedder import WordEmbedder
from tests.support.aio import aio
from tests.unit.routing.learned.classroom import rows

__all__: list[str] = []

FINGERPRINT = WordEmbedder.fingerprint
FILE = learn_from(rows(40), WordEmbedder())


async def expectations(model: LearnedModel, text: str) -> dict[str, float]:
    [embedding] = await WordEmbedder().embed([text])
    found = model.expect(model.vector(text, embedding), ("small", "large"))
    return {name: one.quality for name, one in found.items()}


@pytest.mark.parametrize("count", [80, 400])  # few: on top of the prior; many: by themselves
@aio
async def test_it_learns_which_questions_the_small_model_can_answer(count: int) -> None:
    """On wordings it never saw."""
    model = await train(rows(count), WordEmbedder())
    easy = await expectations(model, "greet a guest and say hello")
    hard = await expectations(model, "prove the bound and derive the lemma")
    assert easy["small"] > 0.6 > hard["small"]
    assert hard["large"] - hard["small"] > 0.3 > easy["large"] - easy["small"]


def test_a_file_is_read_back_as_it_was_written() -> None:
    """Expectations, doubt, what was seen and the sample survive, to the precision of the file."""
    model = LearnedModel.load(FILE, fingerprint=FINGERPRINT)
    again = LearnedModel.load(model.dump(), fingerprint=FINGERPRINT)
    vectors = np.stack([vector for vector, _ in model.sample])
    assert len(vectors) == 40
    assert again.heads.keys() == model.heads.keys() == {"small", "large"}
    for name, head in model.heads.items():
        for ours, theirs in zip(head.expect(vectors), again.heads[name].expect(vectors), strict=True):
            assert np.allclose(ours, theirs, atol=1e-5)
        assert again.seen(name) == 40


@aio
async def test_models_taught_together_are_stored_together() -> None:
    """Nine models that answered the same questions take hardly more room than one."""
    table = [TrainingRow(row.prompt, f"m{at}", row.score) for row in rows(200)[::2] for at in range(9)]
    one = (await train([row for row in table if row.model == "m0"], WordEmbedder())).dump()
    nine = (await train(table, WordEmbedder())).dump()
    assert len(nine) < 1.5 * len(one)


@aio
async def test_a_model_that_answered_only_some_questions_has_its_own_doubt() -> None:
    """Scores may be missing; who was seen less is surer of less."""
    some = [row for at, row in enumerate(rows(200)) if row.model == "large" or at % 5 == 0]
    model = await train(some, WordEmbedder())
    [embedding] = await WordEmbedder().embed(["greet the guest"])
    found = model.expect(model.vector("greet the guest", embedding), ("small", "large"))
    assert model.seen("small") < model.seen("large") == 200
    assert found["small"].variance > found["large"].variance


@aio
async def test_a_question_scored_twice_counts_with_its_mean() -> None:
    """Two judges who disagree are not two questions."""
    pair = [TrainingRow("say hello", "small", 0.0), TrainingRow("say hello", "small", 1.0)]
    model = await train(pair, WordEmbedder())
    assert model.seen("small") == 1


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no line"),
        (b"\n \n", "no line"),
        (b'{"prompt": "a", "model": "m", "score": 1}\n{"prompt": "a"}', "line 2"),
        (b'{"prompt": "a", "model": "m", "score": 2}', "from 0 to 1"),
        (b'{"prompt": "a", "model": "m", "score": "good"}', "line 1"),
        (b"not json", "line 1"),
        (b'{"prompt": "\xff", "model": "m", "score": 1}', "line 1"),
    ],
)
def test_a_wrong_line_is_named(data: bytes, words: str) -> None:
    """Nothing is learned from a file that is half right."""
    with pytest.raises(BadTrainingRow, match=words):
        parse_rows(data)


def test_lines_are_read() -> None:
    """Other fields are passed over, empty lines too."""
    [row] = parse_rows(b'\n{"prompt": "a", "model": "m", "score": 0.5, "by": "judge"}\r\n')
    assert row == TrainingRow("a", "m", 0.5)


def test_nothing_cannot_be_learned_from() -> None:
    """An empty list is a mistake, told as one."""
    with pytest.raises(BadTrainingRow):
        learn_from([], WordEmbedder())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 99}, "version 99"),
        ({"features": ["other"]}, "another embedder or release"),
        ({"fingerprint": "x"}, "another embedder or release"),
        ({"strength": 0.0}, "damaged"),
        ({"embedding_mean": b"\x00" * 8}, "damaged"),
        ({"covariances": []}, "damaged"),
        ({"surface_mean": b"\xff" * 92}, "damaged"),  # not a number
        ({"heads": 3}, "damaged"),
    ],
)
def test_a_file_of_another_making_is_refused(change: dict[str, object], words: str) -> None:
    """It says why, and how to get one that fits."""
    stored = msgspec.msgpack.decode(FILE) | change
    with pytest.raises(LearnedModelUnusable, match=f"{words}.*headgate route learn"):
        LearnedModel.load(msgspec.msgpack.encode(stored), fingerprint=FINGERPRINT)


@given(st.binary(max_size=200), st.integers(0, len(FILE)))
def test_a_damaged_file_is_refused_and_breaks_nothing(noise: bytes, at: int) -> None:
    """Cut off, or with other bytes in the middle: refused, or read as the numbers it then holds."""
    for data in (FILE[:at], noise, FILE[:at] + noise + FILE[at + len(noise) :]):
        try:
            LearnedModel.load(data, fingerprint=FINGERPRINT)
        except LearnedModelUnusable:
            continue


def test_a_beginning_knows_that_harder_looks_harder() -> None:
    """Before any outcome: the strong model is worth more on a winding question than on a greeting."""
    model = begin("words-1", 32, shipped_prior())
    model.meet("small", 0.0)
    model.meet("large", 1.0)
    gaps = []
    for text in (
        "Hello!",
        "If none of the statements except the last is not false, which follows, and why? " * 6,
    ):
        found = model.expect(model.vector(text, np.zeros(32, np.float32)), ("small", "large"))
        gaps.append(found["large"].quality - found["small"].quality)
    assert gaps[1] > gaps[0]


def test_names_from_outside_do_not_fill_the_memory() -> None:
    """The 257th model is not learned, and asking about it works."""
    model = begin("words-1", 2, shipped_prior())
    vector = model.vector("a", np.zeros(2, np.float32))
    for at in range(300):
        model.update(vector, f"m{at}", 1.0)
    assert len(model.heads) == 256
    assert 0 <= model.expect(vector, ["m299"])["m299"].quality <= 1


@pytest.mark.parametrize(
    ("quality", "weight"), [(float("nan"), 1.0), (0.5, float("nan")), (9.0, 99.0), (-3, -1)]
)
def test_an_impossible_outcome_cannot_poison_a_head(quality: float, weight: float) -> None:
    """Brought into range or not learned; expectations stay finite."""
    model = begin("words-1", 2, shipped_prior())
    vector = model.vector("a", np.zeros(2, np.float32))
    model.update(vector, "small", quality, weight)
    found = model.expect(vector, ["small"])["small"]
    assert 0 <= found.quality <= 1
    assert np.isfinite(found.variance)


def test_a_question_unlike_any_seen_stays_in_bounds() -> None:
    """Expected quality is between 0 and 1, whatever the text."""
    table = np.column_stack([np.linspace(0, 1, 60), np.linspace(1, 0, 60)])
    chance = np.random.default_rng(0)
    model = model_of(
        chance.normal(size=(60, 4)).astype(np.float32), chance.random((60, 23)), table, ["a", "b"], "f"
    )
    found = model.expect(model.vector("9" * 8000, np.ones(4, np.float32)), ["a", "b"])
    assert all(0 <= one.quality <= 1 for one in found.values())


def test_a_file_for_longer_vectors_is_refused_before_memory_is_taken() -> None:
    """A small file may ask for gigabytes: what is needed grows with the square of the length."""
    stored = msgspec.msgpack.decode(FILE) | {"embedding_mean": b"\x00" * 4 * 20_000}
    dimensions = WordEmbedder().dimensions
    with pytest.raises(LearnedModelUnusable, match=r"another length.*headgate route learn"):
        LearnedModel.load(msgspec.msgpack.encode(stored), fingerprint=FINGERPRINT, dimensions=dimensions)
    assert LearnedModel.load(FILE, fingerprint=FINGERPRINT, dimensions=dimensions).heads


def test_a_number_that_signals_is_damage_like_any_other() -> None:
    """Not a warning on the way."""
    stored = msgspec.msgpack.decode(FILE) | {"surface_mean": b"\x01\x00\x80\x7f" * 23}
    with pytest.raises(LearnedModelUnusable, match="damaged"):
        LearnedModel.load(msgspec.msgpack.encode(stored), fingerprint=FINGERPRINT)
