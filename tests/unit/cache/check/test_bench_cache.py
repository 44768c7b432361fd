"""The benchmark's own promises."""

from __future__ import annotations

import gzip
import json

import pytest

from bench.cache import page as pages
from bench.cache.measures import Point
from bench.cache.rows import DataMissing, load_conversations, load_pairs
from bench.cache.run import Lookup, Measured


def lookup(threshold: float) -> Lookup:
    point = Point(threshold, 0.5, 0.0, (0.4, 0.6), (0.0, 0.03))
    return Lookup(
        [point],
        {"1%": point, "5%": point},
        {"1%": point, "5%": point},
        {"scope": (9, 0.25)},
        [(0.9, 0.5, 1.0)],
    )


MEASURED = Measured(
    {"date": "2026-01-01"},
    {"cache-fow-pairs": {"hits": 10, "traps": 10, "sha256": "ab" * 32}},
    {"cache-fow-pairs": {"cosine": lookup(0.90), "checked": lookup(0.95)}},
    microseconds={"both questions new, median": 400.0},
)


def test_without_the_rows_it_says_what_to_set(monkeypatch, tmp_path):
    """Not a stack of calls, and no empty table."""
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path))
    for load in (load_pairs, load_conversations):
        with pytest.raises(DataMissing, match="HEADGATE_DATA"):
            load()


def test_rows_are_read_as_they_are_published(monkeypatch, tmp_path):
    """`a` is the question whose answer is kept, `b` the one asked."""
    monkeypatch.setenv("HEADGATE_DATA", str(tmp_path))
    folder = tmp_path / "cache-fow-pairs"
    folder.mkdir()
    row = {
        "id": "1",
        "category": "scope",
        "a": "kept",
        "b": "asked",
        "same_answer": False,
        "style": "minimal",
    }
    (folder / "dev.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    pairs = load_pairs()
    assert (pairs.asked, pairs.kept, pairs.same.tolist(), pairs.kinds) == (
        ["asked"],
        ["kept"],
        [False],
        ["scope"],
    )


def test_the_page_says_what_was_measured_beside_what():
    """Both lookups, their intervals, the kinds, and where the rows come from."""
    text = pages.page(MEASURED)
    for part in (
        "MiniLM cosine alone",
        "with the check",
        "50.0% (40.0% to 60.0%)",
        "| scope | 9 | 25.0% | 25.0% |",
        "CC BY 4.0",
    ):
        assert part in text


def test_the_drawing_has_a_line_per_lookup(monkeypatch, tmp_path):
    """And is a picture that stands alone."""
    monkeypatch.setattr(pages, "DRAWING", tmp_path / "drawing.svg")
    pages.write_drawings(MEASURED)
    drawn = (tmp_path / "drawing.svg").read_text()
    assert drawn.count("<polyline") == 2 and drawn.startswith("<svg") and drawn.endswith("</svg>\n")
