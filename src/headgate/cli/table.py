"""Tables: aligned for the terminal, CSV for spreadsheets. What callers wrote can neither move the cursor nor be a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence

__all__ = ["aligned", "as_csv", "plain"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def plain(text: str, width: int = 60) -> str:
    """The text on one line, at most `width` characters of it; `-` for none."""
    shown = "".join(character if character.isprintable() else "?" for character in text)
    return (shown if len(shown) <= width else f"{shown[: width - 1]}…") or "-"


def aligned(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, left: int = 1, last: Sequence[str] = ()
) -> str:
    """The rows under their titles. left: so many columns are words, the others figures. last: a row under a rule."""
    everything = [titles, *rows, *([last] if last else [])]
    widths = [max(len(row[column]) for row in everything) for column in range(len(titles))]

    def line(row: Sequence[str]) -> str:
        cells = [
            cell.ljust(width) if place < left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]
        return f"  {'  '.join(cells)}".rstrip()

    rule = f"  {'-' * (sum(widths) + 2 * (len(widths) - 1))}"
    lines = [line(titles), rule, *map(line, rows)]
    return "\n".join([*lines, rule, line(last)] if last else lines)


def as_csv(titles: Sequence[str], rows: Sequence[Sequence[object]], *, words: int = 0) -> str:
    """The rows as CSV, titles first. words: so many columns come from callers: a spreadsheet must not take them for
    formulas, so they get a `'` in front where it would."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(titles)
    for row in rows:
        writer.writerow([_harmless(cell) if place < words else cell for place, cell in enumerate(row)])
    return buffer.getvalue()


def _harmless(cell: object) -> str:
    text = str(cell)
    return f"'{text}" if text.startswith(_FORMULA) else text
