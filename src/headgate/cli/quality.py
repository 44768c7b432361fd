"""`headgate quality`: how answers are judged, what is worst, and what changed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.control.drifting import Drifted
    from headgate.control.quality import MeanRow

__all__ = ["command"]

_PIPE_WIDTH = 400


@click.command()
@config_option
@click.option("--feature", default="", metavar="NAME", help="Only of this feature.")
@click.option(
    "--by",
    type=click.Choice(["prompt", "model", "feature", "source"]),
    default="feature",
    show_default=True,
    help="What means are told apart by.",
)
@click.option("--name", default="", metavar="NAME", help="Only this score: thumbs, rating or another.")
@click.option(
    "--since", default="30d", show_default=True, metavar="WHEN", help="2h, 7d, or a date: 2027-01-31."
)
@click.option(
    "--changes", is_flag=True, help="Also look when numbers of the feature changed in the last four weeks."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(
    config: Path | None, feature: str, by: str, name: str, since: str, *, changes: bool, as_json: bool
) -> None:
    """Tell how answers are judged: each score's mean, how sure it is, and of how many judgements.

    The interval holds the mean of very many judgements in 95 of 100 cases: two groups whose intervals lie apart are different.
    With --changes, scores, refusals, length, latency and cost are looked through for the hour at which they became others.

    \b
    Examples:
      headgate quality
      headgate quality --feature support-chat --by prompt
      headgate quality --feature support-chat --changes
      headgate quality --by model --name thumbs --since 7d --json
    """
    from headgate.cli.audit import _moment

    configuration = read_configuration(config)
    begin = _moment(since) // 1_000_000_000
    only = {key: value for key, value in (("feature", feature), ("name", name)) if value}
    with plain_failures():
        rows, drifted = asyncio.run(_read(configuration, begin, by, only, changes=changes))
    if as_json:
        told: dict[str, Any] = {"means": [_facts(row, by) for row in rows]}
        if changes:
            told["changes"] = [_change_facts(each) for each in drifted]
        print_json(told)
        return
    if rows:
        _print(rows, by)
    else:
        say("nothing was judged since then; `headgate feedback --help` tells how answers are judged")
    if changes:
        _tell(drifted)


async def _read(
    configuration: Configuration, begin: int, by: Any, only: dict[str, str], *, changes: bool
) -> tuple[Sequence[MeanRow], Sequence[Drifted]]:
    from headgate.compose.stores import open_stores
    from headgate.control.drifting import drifts
    from headgate.control.quality import means

    stores: Stores = open_stores(configuration.settings)
    try:
        now = int(time.time())
        rows = await means(stores.scores, min(begin, now), now, by=(by,), only=only)
        if not changes:
            return rows, ()
        features = [only["feature"]] if "feature" in only else list(configuration.settings.features)
        say(f"looking through {len(features)} {'feature' if len(features) == 1 else 'features'} ...")
        return rows, await drifts(stores.scores, stores.rollups, features, now, young=True)
    finally:
        await stores.aclose()


def _facts(row: MeanRow, by: str) -> dict[str, object]:
    mean = row.mean
    return {
        "name": row.name,
        "kind": row.kind,
        by: row.group[0],
        "scores": mean.scores,
        "mean": mean.mean,
        "low": mean.low,
        "high": mean.high,
    }


def _change_facts(each: Drifted) -> dict[str, object]:
    change = each.change
    return {
        "feature": each.feature,
        "metric": each.metric,
        "unit": each.unit,
        "at": _when(change.at),
        "before": change.before,
        "before_interval": list(change.before_interval),
        "after": change.after,
        "after_interval": list(change.after_interval),
        "p": change.p,
        "young": change.young,
        "marks": [
            {
                "at": _when(mark.at_ns // 1_000_000_000),
                "kind": mark.kind,
                "subject": mark.subject,
                "text": mark.text,
            }
            for mark in each.marks
        ],
    }


def _tell(found: Sequence[Drifted]) -> None:
    if not found:
        say(
            "no change that chance does not explain; three weeks of traffic are needed to know what is usual, and three days "
            "after a change"
        )
    for each in found:
        change = each.change
        sure = "too early to be sure: fewer than three weeks" if change.young else f"p = {change.p:.3f}"
        click.echo(
            f"{_when(change.at)}  {each.feature}: {each.title.lower()} from {_number(change.before, each.unit)} "
            f"to {_number(change.after, each.unit)} ({sure})"
        )
        for mark in each.marks:
            click.echo(f"    near it: {mark.kind} {mark.subject} {mark.text}".rstrip())


def _number(value: float, unit: str) -> str:
    if unit == "share":
        return f"{100 * value:.1f} %"
    return f"{value:.3g}{' ' + unit if unit not in ('', 'usd') else ' USD' if unit == 'usd' else ''}"


def _when(seconds: int) -> str:
    from datetime import UTC, datetime

    return f"{datetime.fromtimestamp(seconds, tz=UTC):%Y-%m-%d %H:%M} UTC"


def _print(rows: Sequence[MeanRow], by: str) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("score", by, "mean", "95 % interval", "judgements"):
        table.add_column(title, no_wrap=True, justify="left" if title in ("score", by) else "right")
    for row in rows:
        mean, unit = row.mean, "share" if row.kind == "boolean" else ""
        ends = (
            ""
            if mean.low is None or mean.high is None
            else f"{_number(mean.low, unit)} to {_number(mean.high, unit)}"
        )
        cells = (row.name, row.group[0] or "(none)", _number(mean.mean, unit), ends, f"{mean.scores:,}")
        table.add_row(*(escape("".join(c if c.isprintable() else "?" for c in cell)) for cell in cells))
    console = Console()
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)
