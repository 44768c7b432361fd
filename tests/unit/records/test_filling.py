"""What was stored before anybody added up is added up by the writer when nothing else is to do."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from headgate.stores.backends.memory import MemorySpans
from headgate.stores.errors import StoreUnavailable
from headgate.stores.sink import Batch
from tests.support.aio import aio
from tests.support.recording import Recording
from tests.unit.records.test_writer import answering

__all__: list[str] = []


class Behind(MemorySpans):
    """Has so many pieces that are not added up."""

    def __init__(self, pieces: int, *, refusals: int = 0) -> None:
        super().__init__()
        self.left, self.refusals = pieces, refusals
        self.order: list[str] = []

    def write(self, batch: Batch) -> None:
        self.order.append("write")
        super().write(batch)

    def fill(self, limit: int = 0) -> bool:
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("locked")
        self.order.append("fill")
        self.left = max(self.left - 1, 0)
        return self.left > 0


@aio
async def test_new_requests_go_before_old_ones(tmp_path_factory: pytest.TempPathFactory) -> None:
    """A request that has just ended does not wait for years of older ones, and these are not forgotten for it."""
    store = Behind(3)
    recording = Recording(tmp_path_factory.mktemp("j"), store=store)
    assert recording.writer.step()
    await recording.serve(recording.desk.exchange(), answering(recording))
    recording.store_all()
    assert store.order[:2] == ["fill", "write"]
    assert store.order.count("fill") == 3
    assert not recording.writer.step()
    assert store.order.count("fill") == 3
    recording.close()


@aio
async def test_it_is_told_when_it_begins_and_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Until then plots show less than there was; a new installation says nothing."""
    for pieces in (3, 0):
        caplog.clear()
        recording = Recording(tmp_path / str(pieces), store=Behind(pieces))
        with caplog.at_level(logging.INFO, logger="headgate.records"):
            recording.store_all()
        assert len([one for one in caplog.records if "added up" in one.message]) == (2 if pieces else 0)
        recording.close()


@aio
async def test_a_store_that_does_not_answer_is_asked_again(tmp_path: Path) -> None:
    """Nothing is left out."""
    store = Behind(2, refusals=1)
    recording = Recording(tmp_path / "j", store=store)
    assert not recording.writer.step()
    assert recording.writer.failed is not None
    recording.store_all()
    assert store.order == ["fill", "fill"]
    recording.close()
