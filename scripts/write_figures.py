"""Write README's figures from docs/reference/benchmarks.md, so that the two never disagree.

Run after `make bench`: `.venv/bin/python scripts/write_figures.py`. A test compares; nobody edits the figures by hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

__all__ = ["BEGIN", "END", "figures", "with_figures"]

ROOT = Path(__file__).resolve().parent.parent
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"

_COLUMNS = (
    ("a whole answer, CPU µs", "whole", "CPU µs/request"),
    ("× nginx", "whole", "× nginx"),
    ("p50 ms at 20/s", "latency-20", "p50 ms"),
    ("a streamed token, CPU µs", "paced", "CPU µs/token"),
    ("× nginx", "paced", "× nginx"),
    ("a hit from memory, CPU µs", "hit", "CPU µs/request"),
    ("start to first answer, s", "cold", "first answer s"),
    ("memory at rest, MB", "cold", "idle MB"),
)
"""Heading here, section and heading there."""

Table = dict[str, dict[str, str]]
"""First cell of a row -> heading -> cell."""


def figures(page: str) -> str:
    """What stands between the marks in README, made from the benchmark page's text."""
    who = _table(page, "who")
    lines = [f"| | {' | '.join(heading for heading, _, _ in _COLUMNS)} |", "|---|" + "---|" * len(_COLUMNS)]
    for name, about in who.items():
        cells = [_table(page, section).get(name, {}).get(column, "-") for _, section, column in _COLUMNS]
        if name != "no gateway" and set(cells) != {"-"}:
            version = about["version"].partition(",")[0]
            lines.append(f"| {name} {version} | {' | '.join(cells)} |")
    lines += ["", "Headgate's own budgets, in the same run:", "", *_lines(page, "Held budgets")]
    began = re.search(r"^Run of (\d{4}-\d\d-\d\d)", page, re.MULTILINE)
    processor = re.search(r"^- processor: (.*)$", page, re.MULTILINE)
    if began and processor:
        lines += ["", f"Run of {began[1]} on {processor[1]}, all of it in one run."]
    return "\n".join(lines)


def with_figures(readme: str, page: str) -> str:
    """README's text with the page's figures between the marks. Raises ValueError if there are no marks."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"README.md lacks the marks {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{figures(page)}\n{END}{after}"


def _lines(page: str, heading: str) -> list[str]:
    """The lines of the first table under a heading. Raises ValueError if there is none."""
    section = page.partition(f"\n### {heading}\n")[2].partition("\n### ")[0].partition("\n## ")[0]
    found = [line for line in section.splitlines() if line.startswith("|")]
    if not found:
        raise ValueError(f"the benchmark page has no table under `{heading}`")
    return found


def _table(page: str, heading: str) -> Table:
    titles, _, *rows = (list(_cells(line)) for line in _lines(page, heading))
    return {row[0]: _row(titles, row) for row in rows}


def _row(titles: Sequence[str], row: Sequence[str]) -> dict[str, str]:
    return dict(zip(titles, row, strict=True))


def _cells(line: str) -> Iterator[str]:
    return (cell.strip() for cell in line.strip("|").split("|"))


if __name__ == "__main__":
    readme, page = ROOT / "README.md", ROOT / "docs" / "reference" / "benchmarks.md"
    readme.write_text(
        with_figures(readme.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")), encoding="utf-8"
    )
