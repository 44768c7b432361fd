"""What `headgate cache` prints for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import say

if TYPE_CHECKING:
    from rich.table import Table

    from headgate.cache.semantic.bounds import Bound
    from headgate.control.cache.report import CacheReport, FeatureCache, Hits, Wrongness
    from headgate.control.http.cache.entries import EntryTold
    from headgate.stores.answers import Sizes

__all__ = ["entry_lines", "learned_words", "report_lines", "whole"]

_PIPE_WIDTH = 400


def report_lines(found: CacheReport, sizes: Sizes | None) -> None:
    """Figures by feature, and all together."""
    from rich.text import Text

    from headgate.cli.table import plain

    table = _table()
    table.add_column("feature", no_wrap=True)
    for title in ("asked", "hits", "rate", "same words", "other words", "joined", "saved USD", "saved time"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("wrong", no_wrap=True)
    table.add_column("", no_wrap=True)
    for each in found.features:
        table.add_row(Text(plain(each.feature, 40)), *_figures(each.hits), _wrong(each), _set(each))
    if len(found.features) > 1:
        table.add_section()
        table.add_row("all", *_figures(found.total), wrong_words(found.wrong), "")
    if table.rows:
        _print(table)
    if found.own_requests:
        say(
            f"memory's own calls (warming, refreshing, samples): {found.own_requests:,} requests, {found.own_nanos / 1e9:.4f} USD"
        )
    if sizes is not None:
        say(f"kept: {sizes.entries:,} answers, {sizes.bytes / 1e6:.1f} of {sizes.most_bytes / 1e6:.0f} MB")


def _figures(hits: Hits) -> list[str]:
    return [
        f"{hits.asked:,}",
        f"{hits.hits:,}",
        "-" if hits.rate is None else f"{hits.rate:.1%}",
        f"{hits.exact:,}",
        f"{hits.similar:,}",
        f"{hits.joined:,}",
        f"{hits.saved_nanos / 1e9:.4f}",
        _time(hits.saved_us / 1e6),
    ]


def _wrong(each: FeatureCache) -> str:
    if each.settings is None or each.settings.semantic is None:
        return "-"
    return wrong_words(each.wrong)


def wrong_words(found: Wrongness) -> str:
    """`1.2 % (0.4 to 3.1 %)`, with how many people said so."""
    told = f"{found.told} told" if found.told else ""
    if found.share is None:
        return told or "no sample yet"
    share = f"{found.share * 100:.2g} % ({found.low * 100:.2g} to {found.high * 100:.2g} %)"
    return f"{share}, {told}" if told else share


def _set(each: FeatureCache) -> str:
    if each.settings is None:
        return "off now"
    told = ["shadow: only measured"] if each.shadow else []
    if each.learned is not None:
        told.append(learned_words(each.learned))
    return "; ".join(told)


def learned_words(bound: Bound) -> str:
    """`gives from 0.93 on: 3 of 612 wrong there, at most 0.9 %`."""
    seen = f"{bound.wrong:,} of {bound.judged:,} wrong"
    if bound.threshold is None:
        return f"learning: {seen} from 0.95 on, gives nothing yet"
    return f"gives from {bound.threshold:g} on: {seen} there, at most {bound.at_most * 100:.2g} %"


def entry_lines(entries: Sequence[EntryTold]) -> None:
    """One line each."""
    from rich.text import Text

    from headgate.cli.table import plain

    table = _table()
    table.add_column("key", no_wrap=True)
    for title in ("given", "saved USD", "made"):
        table.add_column(title, no_wrap=True, justify="right")
    for title in ("state", "feature", "question"):
        table.add_column(title, no_wrap=True)
    now = datetime.now(UTC)
    for each in entries:
        table.add_row(
            each.key,
            f"{each.hits:,}",
            f"{float(each.cost_usd) * each.hits:.4f}",
            _time((now - each.made).total_seconds()),
            each.state,
            Text(plain(each.feature, 30)),
            Text(plain(each.question, 80)),
        )
    _print(table)


def whole(told: Mapping[str, Any]) -> None:
    """One entry."""
    from headgate.cli.table import plain

    entry = told["entry"]
    shared = (
        "all callers of the feature"
        if entry["scope"] == "feature"
        else f"one {entry['scope']}: {entry['owner']}"
    )
    facts = (
        ("key", entry["key"]),
        ("feature", entry["feature"]),
        ("tenant", entry["tenant"]),
        ("model", entry["model"]),
        ("prompt", entry["prompt"]),
        ("shared by", shared),
        ("made for", entry["origin"]),
        ("made", entry["made"]),
        ("state", f"{entry['state']}; fresh until {entry['fresh_until']}, kept until {entry['kept_until']}"),
        ("given", f"{entry['hits']:,} times"),
        ("saves", f"{entry['cost_usd']} USD and {_time(entry['took_ms'] / 1000)} each time"),
    )
    for name, value in facts:
        if value:
            click.echo(f"{name:<10} {plain(value, 200)}")
    click.echo(f"\nquestion\n{_lines(entry['question'])}\n\nanswer\n{_lines(told['answer'])}")
    if told["given"]:
        click.echo("\ngiven to other words")
        for each in told["given"]:
            click.echo(f"  {each['score']:6.1%}  {each['request']}  {plain(each['question'], 100)}")
    if told["judgements"]:
        click.echo("\nsimilar questions, judged")
        for each in told["judgements"]:
            right = "right" if each["right"] else "wrong"
            click.echo(
                f"  {each['score']:6.1%}  {right}  by {each['source']:<8}  {plain(each['question'], 100)}"
            )


def _lines(text: str) -> str:
    # What callers and models write goes to a terminal: nothing in it may move the cursor.
    shown = "".join(each if each.isprintable() or each == "\n" else "?" for each in text)
    return "\n".join(f"  {line}" for line in (shown or "-").splitlines())


def _time(seconds: float) -> str:
    for limit, size, unit in ((120.0, 1.0, "s"), (7_200.0, 60.0, "min"), (172_800.0, 3_600.0, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} d"


def _table() -> Table:
    from rich.table import Table

    return Table(box=None, header_style="bold", pad_edge=False)


def _print(table: Table) -> None:
    from rich.console import Console

    console = Console()
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)
