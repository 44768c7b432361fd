"""The figures in README are those of the benchmark page."""

from __future__ import annotations

from pathlib import Path

import pytest

from scripts.write_figures import BEGIN, END, figures, with_figures

__all__: list[str] = []

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGE = (ROOT / "docs" / "reference" / "benchmarks.md").read_text(encoding="utf-8")


def test_readme_says_what_was_measured() -> None:
    """If this fails: `.venv/bin/python scripts/write_figures.py`."""
    assert with_figures(README, PAGE) == README


def test_every_budget_is_told_also_the_missed_ones() -> None:
    """The table of budgets is taken over whole."""
    budgets = PAGE.partition("### Held budgets")[2].partition("### ")[0]
    rows = [line for line in budgets.splitlines() if line.startswith("|")]
    assert len(rows) > 4 and [row for row in rows if row not in figures(PAGE)] == []


def test_a_contestant_that_was_not_measured_is_left_out() -> None:
    """A row of dashes says nothing."""
    assert "otari" in PAGE and "otari" not in figures(PAGE)


def test_a_page_without_marks_is_an_error() -> None:
    """Nothing is written into the void."""
    with pytest.raises(ValueError, match="lacks the marks"):
        with_figures(README.replace(BEGIN, "").replace(END, ""), PAGE)
