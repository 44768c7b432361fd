"""The learned router in a running gateway: opened, shared, taught, written down; or missing, and nothing breaks."""

from __future__ import annotations

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
    learning._learn("q", "small", 0.0, 1.0)
    assert learning._lessons.offered == [("q", "small", 0.0, 1.0)]
    learning.start()
    assert learning._task is not None
    await learning._task
    await learning.stop()
    assert file.read_bytes() == b"learned" and list(tmp_path.iterdir()) == [file]
