"""Files in, one report out. A file is recognised by what is in it, never by its name."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, NoReturn

from headgate.control.costs.provider_reports import anthropic, openai
from headgate.control.costs.provider_reports.fields import Fields, Unknown
from headgate.control.costs.provider_reports.lines import ProviderReport, ReportLine, ReportRefused, joined

__all__ = ["MOST_BYTES", "read_report"]

MOST_BYTES = 100_000_000
_FORMS = "a reply of OpenAI's usage or costs API or of Anthropic's usage_report or cost_report, or a CSV file of their pages"

_Read = tuple[str, str, list[ReportLine], list[str]]
"""(provider, form in words, lines, notes)"""


def read_report(files: Sequence[tuple[str, bytes]]) -> ProviderReport:
    """Several (name, content) as one report, such as all pages of a reply, or tokens in one file and money in another.

    Raises ReportRefused."""
    unknown, found = Unknown(), list[_Read]()
    seen: dict[bytes, str] = {}
    for name, data in files:
        if data in seen:
            raise ReportRefused(f"{name} is the same as {seen[data]}: what is in both would count twice")
        seen[data] = name
        found.append(_read(name, data, unknown))
    providers = {one[0] for one in found}
    if len(providers) != 1:
        raise ReportRefused(
            f"the files are of {' and '.join(sorted(providers)) or 'nobody'}: one provider at a time"
        )
    notes = [note for one in found for note in one[3]]
    return ProviderReport(
        providers.pop(),
        tuple(dict.fromkeys(one[1] for one in found)),
        joined(line for one in found for line in one[2]),
        tuple(unknown.names),
        tuple(dict.fromkeys(notes)),
    )


def _read(name: str, data: bytes, unknown: Unknown) -> _Read:
    if len(data) > MOST_BYTES:
        raise ReportRefused(f"{name} has more than {MOST_BYTES // 10**6} MB: export a shorter time")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as wrong:
        raise ReportRefused(f"{name} is no text in UTF-8: byte {wrong.start} cannot be read") from None
    if text.lstrip()[:1] in ("{", "["):
        return _pages(name, text, unknown)
    return _table(name, text, unknown)


def _pages(name: str, text: str, unknown: Unknown) -> _Read:
    try:
        value = json.loads(text, parse_float=_decimal, parse_int=_whole, parse_constant=_no_number)
    except RecursionError:
        raise ReportRefused(f"{name} is nested too deeply") from None
    except json.JSONDecodeError as wrong:
        raise ReportRefused(f"{name}: line {wrong.lineno}, column {wrong.colno}: {wrong.msg}") from None
    except ValueError as wrong:
        raise ReportRefused(f"{name}: {wrong}") from None
    pages = value if isinstance(value, list) else [value]
    vendor, form, lines, notes = "", "", list[ReportLine](), list[str]()
    for place, page in enumerate(pages):
        where = f"{name}[{place}]" if isinstance(value, list) else name
        if not isinstance(page, dict):
            raise ReportRefused(f"{where} is no object")
        fields = Fields(page, where)
        if "data" not in fields:
            raise ReportRefused(f"{where} has no `data`: it is neither {_FORMS}")
        if page.get("has_more") is True and place == len(pages) - 1:
            notes.append(f"{name} is not the last page of the reply (has_more): give the others too")
        for bucket in fields.objects("data"):
            for result in bucket.objects("results" if "results" in bucket else "result"):
                kind = _kind(result)
                if vendor and (vendor, form) != kind:
                    raise ReportRefused(
                        f"{result.where} is {' '.join(kind)}, and what came before is {vendor} {form}"
                    )
                vendor, form = kind
                lines.append(_LINES[kind](bucket, result, unknown))
    if not vendor:
        raise ReportRefused(f"{name} has no results: there is nothing to compare")
    return vendor, f"{vendor} {form} (JSON)", lines, notes


_LINES = {
    ("openai", "usage"): openai.usage_of,
    ("openai", "costs"): openai.costs_of,
    ("anthropic", "usage"): anthropic.usage_of,
    ("anthropic", "costs"): anthropic.costs_of,
}


def _kind(result: Fields) -> tuple[str, str]:
    if form := openai.what_is(result):
        return "openai", form
    if form := anthropic.what_is(result):
        return "anthropic", form
    raise ReportRefused(f"{result.where} is not known: it is neither {_FORMS}")


def _table(name: str, text: str, unknown: Unknown) -> _Read:
    head = text.split("\n", 1)[0]
    reader = csv.reader(
        io.StringIO(text), delimiter="\t" if head.count("\t") > head.count(",") else ",", strict=True
    )
    try:
        titles = [title.strip() for title in next(reader, [])]
        names = frozenset(titles)
        if len(names) != len(titles):
            raise ReportRefused(f"{name}: a column is there twice: {', '.join(titles)[:200]}")
        rows = _rows(name, titles, reader)
        if openai.usage_columns(names):
            busy = openai.rows_with_something(rows)
            vendor, form, lines = "openai", "usage", [openai.usage_of(row, row, unknown) for row in busy]
        elif openai.costs_columns(names):
            busy = openai.rows_with_something(rows)
            vendor, form, lines = "openai", "costs", [openai.costs_of(row, row, unknown) for row in busy]
        elif anthropic.usage_columns(names):
            vendor, form, lines = "anthropic", "usage", [anthropic.usage_row(row, unknown) for row in rows]
        elif anthropic.costs_columns(names):
            vendor, form, lines = "anthropic", "costs", [anthropic.costs_row(row, unknown) for row in rows]
        else:
            shown = ", ".join(titles)[:200] or "none"
            raise ReportRefused(f"{name} is neither {_FORMS}. Its columns: {shown}")
    except csv.Error as wrong:
        raise ReportRefused(f"{name}: line {reader.line_num}: {wrong}") from None
    if not lines:
        raise ReportRefused(f"{name} has no rows: there is nothing to compare")
    return vendor, f"{vendor} {form} (CSV)", lines, []


def _rows(name: str, titles: Sequence[str], reader: Any) -> Iterator[Fields]:
    for row in reader:
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(titles):
            raise ReportRefused(
                f"{name}: line {reader.line_num} has {len(row)} cells, the first has {len(titles)}"
            )
        yield Fields(dict(zip(titles, row, strict=True)), f"{name}: line {reader.line_num}")


def _decimal(text: str) -> Decimal:
    # Longer ones and larger exponents are nobody's costs, and would take for ever to reckon with.
    if len(text) > 60:
        raise ValueError(f"{text[:20]}… has too many digits")
    value = Decimal(text)
    if not -60 < value.adjusted() < 60:
        raise ValueError(f"{text} is out of all proportion")
    return value


def _whole(text: str) -> int:
    if len(text) > 30:
        raise ValueError(f"{text[:20]}… has too many digits")
    return int(text)


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")
