"""From entries to rows: contents by their hash."""

from __future__ import annotations

from pathlib import Path

import pytest

from headgate.providers.catalog.book import PriceBook
from headgate.records.entries import Body, Closed
from headgate.records.pricing import Pricer
from headgate.records.reading import JournalReader
from headgate.records.settling import Settling, hash_of
from headgate.stores.sink import Position
from headgate.stores.spans import RequestRow

__all__: list[str] = []

SAID = Body("openai.chat", b"how high is it?", 15)


@pytest.mark.parametrize(
    ("other", "contents"),
    [
        (SAID, 1),
        (Body("openai.chat", b"how deep is it?", 15), 2),
        (Body("anthropic", b"how high is it?", 15), 2),
        (Body("openai.chat", b"how high", 15), 2),
    ],
    ids=["the same", "as long", "of another kind", "cut off"],
)
def test_only_the_same_content_goes_by_the_hash_of_the_one_before(
    tmp_path: Path, other: Body, contents: int
) -> None:
    """However much else they have in common."""
    settling = Settling("j", JournalReader(tmp_path, "j", Position(1, 0)), Pricer(PriceBook()))
    said = (SAID, other, SAID)
    entries = [Closed(RequestRow(number, 5, "t"), body=body) for number, body in enumerate(said)]
    assert settling.take((1, number, entry) for number, entry in enumerate(entries)) == 3
    batch = settling.batch()
    hashes = [hash_of(body.kind, body.data, body.size) for body in said]
    assert [row.request_content for row in batch.requests] == hashes
    assert {content.hash for content in batch.contents} == set(hashes)
    assert len(set(hashes)) == contents
