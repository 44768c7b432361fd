"""The learned router in a running gateway: opened, shared, taught, written down; or missing, and nothing breaks."""

from __future__ import annotations

import asyncio

import pytest

from headgate.routing.learning import Learning
from headgate.routing.settings import RouteSettings
from tests.support.aio import aio

__all__: list[str] = []

LEARNED = RouteSettings(simple="small", complex="large", grader="learned", budget_per_1000=1.0)


def usd_of(model, tokens):
    return 0.0


@pytest.fixture
def warnings(caplog):
    caplog.set_level("WARNING", "headgate.routing")
    return caplog


@pytest.mark.parametrize("content", [None, b"not a model"])
def test_what_is_missing_is_told_once_and_the_signals_judge(content, tmp_path, warnings):
    """A gateway that does not start helps nobody."""
    file = tmp_path / "router.bin"
    if content is not None:
        file.write_bytes(content)
    environ = {"HEADGATE_EMBEDDER": str(tmp_path / "none.onnx")}
    learning = Learning(str(file), environ, usd_of=usd_of)
    assert learning.grader_of("chat", LEARNED) == (None, None) == learning.grader_of("more", LEARNED)
    assert len(warnings.records) == 1 and "chat is judged by signals" in warnings.text


def test_nothing_is_opened_for_features_that_do_not_ask():
    """Not even looked for."""
    learning = Learning("/nowhere", {}, usd_of=usd_of)
    assert learning.grader_of("chat", RouteSettings(simple="a", complex="b")) == (None, None)
    assert not learning._failed


class Lessons:
    """As much of them as is used."""

    def __init__(self):
        self.learned, self.offered = 0, []
        self.model = self

    def offer(self, outcome):
        self.offered.append(outcome)

    async def run(self):
        self.learned += 1

    def dump(self):
        return b"learned"


@aio
async def test_what_was_learned_is_written_down_at_the_end(tmp_path):
    """Whole or not at all; nothing if nothing was learned."""
    file = tmp_path / "router.bin"
    file.write_bytes(b"before")
    learning = Learning(str(file), {}, usd_of=usd_of)
    learning._lessons, learning._outcome = Lessons(), lambda *told: told
    await learning.stop()
    assert file.read_bytes() == b"before"
    learning.learn("q", "small", 0.0, 1.0, None)
    assert learning._lessons.offered == [("q", "small", 0.0, 1.0, None)]
    learning.start()
    assert learning._task is not None
    await learning._task
    await learning.stop()
    assert file.read_bytes() == b"learned" and list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("fault", [ImportError("libstdc++.so.6: cannot open"), MemoryError(), OSError("x")])
def test_a_library_that_cannot_be_loaded_leaves_the_signals_to_judge(fault, tmp_path, monkeypatch, warnings):
    """Neither a start nor a reload fails for it."""

    def broken(file):
        raise fault

    monkeypatch.setattr("headgate.routing.learning.open_embedder", broken)
    learning = Learning(str(tmp_path / "router.bin"), {}, usd_of=usd_of)
    assert learning.grader_of("chat", LEARNED) == (None, None)
    assert "judged by signals" in warnings.text


class DeadLessons(Lessons):
    """Whose task does not live."""

    async def run(self):
        self.learned += 1
        raise RuntimeError("bad allocation")


@aio
async def test_lessons_that_died_do_not_keep_the_gateway_from_stopping(tmp_path):
    """What comes after them in stopping is the records."""
    file = tmp_path / "router.bin"
    learning = Learning(str(file), {}, usd_of=usd_of)
    learning._lessons = DeadLessons()
    learning.start()
    assert learning._task is not None
    await asyncio.wait([learning._task])
    await learning.stop()
    assert file.read_bytes() == b"learned"
