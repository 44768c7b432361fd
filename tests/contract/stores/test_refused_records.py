"""One record that an engine cannot keep must not keep the others waiting; run on both SQL engines."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.records import refused
from headgate.records.refused import FILE, Outcome, one_by_one
from headgate.stores.errors import StoreRefused, StoreUnavailable
from headgate.stores.sink import Batch, Position, Use
from headgate.stores.spans import AttemptRow, Content, RequestRow
from tests.support.aio import aio
from tests.support.stores import Opened, open_stores

__all__: list[str] = []

HALF = "\udc80"
"""Half a character: Python holds it, UTF-8 does not."""
TOO_LARGE = 1 << 70


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.needs("postgres"))])
def backend(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def stores(backend: str, place: Path | str) -> Iterator[Opened]:
    opened = open_stores(backend, place)
    yield opened
    aio(opened.aclose)()


def batch(*requests: RequestRow) -> Batch:
    return Batch(
        journal="j",
        position=Position(1, 100),
        requests=requests,
        attempts=[
            AttemptRow(row.id + 1, row.id, 1, "house", "m", cost_nanos=7, cost_label="exact")
            for row in requests
        ],
        contents=[Content(hash=f"{row.id:032x}", kind="k", data=b"words", size=5) for row in requests],
        uses=[Use(row.id + 1, "team", "canal", 0, 7) for row in requests],
    )


def request(number: int, **given: Any) -> RequestRow:
    return RequestRow(number, 5, "t", cost_nanos=7, request_content=f"{number:032x}", **given)


def one_after_the_other(stores: Opened, rows: Batch, directory: Path) -> Outcome:
    with pytest.raises(StoreRefused) as refusal:
        stores.sink.write(rows)
    return one_by_one(rows, stores.sink.write, stored=Position(), directory=directory, why=refusal.value)


def test_the_others_are_stored_and_the_one_keeps_its_money(
    stores: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What cannot be kept is a word: it goes, and times, tokens, money and budget stay."""
    rows = batch(request(10), request(20, user=f"ada{HALF}"), request(30))
    assert one_after_the_other(stores, rows, tmp_path) == Outcome(whole=2, without_words=1)
    assert stores.sink.position("j") == Position(1, 100)

    @aio
    async def read() -> None:
        for number in (10, 30):
            assert await stores.spans.request(number) == request(number)
            assert await stores.spans.content(f"{number:032x}") is not None
        row = await stores.spans.request(20)
        assert row is not None
        assert (row.user, row.cost_nanos, row.request_content) == ("", 7, "")
        assert "without its words" in row.error_detail
        (attempt,) = await stores.spans.attempts(20)
        assert attempt.cost_nanos == 7

    read()
    assert "request 20 was refused" in caplog.text
    assert not (tmp_path / FILE).exists()


def test_what_cannot_be_stored_at_all_is_set_aside(
    stores: Opened, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file beside the journal has it, readable for its owner alone, and the log says where."""
    rows = batch(request(10), request(20, input_tokens=TOO_LARGE))
    assert one_after_the_other(stores, rows, tmp_path) == Outcome(whole=1, aside=1)
    file = tmp_path / FILE
    assert file.stat().st_mode & 0o777 == 0o600
    (line,) = file.read_text().splitlines()
    said = json.loads(line)
    assert said["request"]["id"] == 20
    assert said["request"]["input_tokens"] == TOO_LARGE
    assert said["attempts"][0]["cost_nanos"] == 7
    assert said["uses"][0]["subject"] == "canal"
    assert str(file) in caplog.text


def test_doing_it_again_counts_nothing_twice(stores: Opened, tmp_path: Path) -> None:
    """A death in the middle: the journal is read again from where it was stored."""
    rows = batch(request(10), request(20, user=HALF))
    one_after_the_other(stores, rows, tmp_path)
    one_by_one(rows, stores.sink.write, stored=Position(), directory=tmp_path, why=StoreRefused("again"))

    @aio
    async def read() -> None:
        page = await stores.spans.latest(10)
        assert [row.id for row in page.rows] == [10, 20]

    read()


def test_a_store_that_goes_away_meanwhile_is_waited_for(tmp_path: Path) -> None:
    """Then the batch is not done: nothing is set aside for that."""
    written: list[Batch] = []

    def write(part: Batch) -> None:
        if len(written) == 1:
            raise StoreUnavailable("gone")
        written.append(part)

    with pytest.raises(StoreUnavailable):
        one_by_one(
            batch(request(1), request(2)), write, stored=Position(), directory=tmp_path, why=StoreRefused("x")
        )
    assert not (tmp_path / FILE).exists()


def test_the_file_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A caller who sends what cannot be stored must not fill the disk."""
    monkeypatch.setattr(refused, "MOST_BYTES", 2000)

    def write(part: Batch) -> None:
        if part.requests:
            raise StoreRefused("no")

    rows = batch(*(request(number) for number in range(1, 20)))
    outcome = one_by_one(rows, write, stored=Position(), directory=tmp_path, why=StoreRefused("x"))
    assert outcome.aside == 19
    assert 0 < (tmp_path / FILE).stat().st_size <= 2000
    assert "is full" in caplog.text
