"""`headgate cost report`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.cost_options import form_of, form_options, money, percent, which_of, which_options
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.control.costs.report import CostReport
    from headgate.stores.totals import Totals, Which

__all__ = ["report_command"]

_TITLES = (
    "requests",
    "attempts",
    "tokens in",
    "cached",
    "to cache",
    "tokens out",
    "reasoning",
    "cost USD",
    "share",
    "estimated USD",
    "avoided USD",
    "cache saved USD",
    "cache extra USD",
    "exact",
    "estimated",
    "unknown",
    "unasked",
)
_IF_ANY = (
    "cached",
    "to cache",
    "reasoning",
    "estimated USD",
    "avoided USD",
    "cache saved USD",
    "cache extra USD",
    "estimated",
    "unknown",
    "unasked",
)
"""Columns that are left out of a table where all of them are nought."""
_CACHE_USD = ("cache_read_saved_usd", "cache_write_extra_usd")


@click.command("report", short_help="What has it cost?")
@config_option
@click.option(
    "--by",
    default="feature",
    show_default=True,
    metavar="WHAT,...",
    help="feature, model, user, team, key, tenant, day, month, tag:NAME ...; several give a line for each combination.",
)
@which_options
@form_options
def report_command(config: Path | None, *, by: str, form: str, **asked: Any) -> None:
    """Tell what was spent, from the records, by whatever you ask; how sure it is; copies of our own apart.

    By: feature, model (which answered), routed, requested, provider, region, user, team, key, tenant, session, tier,
    dialect, operation, outcome, degraded, cache, day and month (UTC), tag:NAME. Cost is `exact` where it follows from the
    provider's own count of tokens, `estimated` where that count is missing, `unknown` where the model has no price:
    then a `+` stands behind the sum. `cached` tokens were read from a provider's prompt cache and `to cache` written to it: what that
    saved, and what it cost on top, is against the price of other tokens. `unasked` requests never reached a provider. What the ledger adds (calls of gateways
    that died, differences to a provider's bill) stands in a table of its own, `not attributed` where it does not say.

    \b
    Examples:
      headgate cost report
      headgate cost report --by feature,model --since 7d
      headgate cost report --by day,user --since 2026-11-01 --until 2026-12-01 --feature support-chat --csv
      headgate cost report --by tag:project --json
    """
    from headgate.control.costs.report import dimensions

    which = which_of(asked)
    try:
        names = dimensions(by)
    except ValueError as wrong:
        fail(str(wrong), code=2)
    configuration = read_configuration(config)
    with plain_failures():
        found = asyncio.run(_read(configuration, names, which))
    form = form_of(form)
    if form == "json":
        print_json(_as_json(found))
    elif form == "csv":
        _print_csv(found)
    elif not found.lines and not found.apart and not found.differences:
        say(f"no such request is recorded in {configuration.settings.server.database}")
    else:
        click.echo("\n".join(_lines(found)))


async def _read(configuration: Configuration, by: Sequence[str], which: Which) -> CostReport:
    from headgate.compose.stores import open_stores
    from headgate.control.costs.report import report

    stores = open_stores(configuration.settings)
    try:
        return await report(stores.spans, by, which, stores.ledger)
    finally:
        await stores.aclose()


def _lines(found: CostReport) -> Iterator[str]:
    from headgate.core.money import usd

    if found.lines:
        yield _table(found.by, found.lines, found.total)
    if found.apart:
        yield ""
        yield click.style("Made besides what callers asked for, and not in the table above", bold=True)
        yield _table(["purpose", *found.by], found.apart, found.total_apart)
    if found.differences:
        yield ""
        yield click.style("What the ledger adds (headgate ledger), and not in a table above", bold=True)
        yield _difference_table(found)
        yield f"\n  Everything together: {money(usd(found.spent_nanos), fine=True)} USD"
    everything = found.total.plus(found.total_apart)
    if everything.cache_read_tokens or everything.cache_write_tokens or everything.cache_write_1h_tokens:
        yield f"\n  {_providers_cache(everything)}"
    if found.total.unknown or found.total_apart.unknown:
        yield "\n  + requests of unknown price come on top; give their models a `price` in the configuration"


def _providers_cache(line: Totals) -> str:
    from headgate.core.money import usd

    def dollars(nanos: int) -> str:
        return f"{money(usd(nanos), fine=True)} USD"

    saved, extra = line.cache_read_saved_nanos, line.cache_write_extra_nanos
    written = line.cache_write_tokens + line.cache_write_1h_tokens
    return (
        f"Providers' caches: {line.cache_read_tokens:,} tokens read, {written:,} written; they saved {dollars(saved - extra)}: "
        f"{dollars(saved)} by reading, less {dollars(extra)} that writing costs on top"
    )


def _table(words: Sequence[str], lines: Sequence[Totals], total: Totals) -> str:
    from headgate.cli.table import aligned

    kept = [
        place
        for place, (title, figure) in enumerate(zip(_TITLES, _figures(total, total), strict=True))
        if title not in _IF_ANY or figure.strip("0.")
    ]

    def chosen(cells: Sequence[str]) -> list[str]:
        return [cells[place] for place in kept]

    rows = [[*_group(line), *chosen(_figures(line, total))] for line in lines]
    last = ["all", *[""] * (len(words) - 1), *chosen(_figures(total, total))]
    return aligned([*words, *chosen(_TITLES)], rows, left=len(words), last=last)


def _difference_table(found: CostReport) -> str:
    from headgate.cli.table import aligned, plain
    from headgate.core.money import usd

    def row(words: Sequence[str], line: Totals) -> list[str]:
        figures = (line.cost_nanos, line.estimated_nanos)
        return [*words, f"{line.requests:,}", *(money(usd(nanos), fine=True) for nanos in figures)]

    words = ["kind", *found.by]
    rows = [
        row(
            [line.group[0], *(plain(text, 40) if text else "not attributed" for text in line.group[1:])], line
        )
        for line in found.differences
    ]
    last = row(["all", *[""] * len(found.by)], found.total_differences)
    return aligned([*words, "entries", "cost USD", "estimated USD"], rows, left=len(words), last=last)


def _group(line: Totals) -> list[str]:
    from headgate.cli.table import plain

    return [plain(value, 40) for value in line.group]


def _figures(line: Totals, total: Totals) -> list[str]:
    from decimal import Decimal

    from headgate.core.money import usd

    share = Decimal(line.cost_nanos) / total.cost_nanos if total.cost_nanos else Decimal(0)
    asked = line.exact + line.estimated + line.reconciled + line.unknown
    return [
        f"{line.requests:,}",
        f"{line.attempts:,}",
        f"{_prompt(line):,}",
        f"{line.cache_read_tokens:,}",
        f"{line.cache_write_tokens + line.cache_write_1h_tokens:,}",
        f"{line.output_tokens + line.reasoning_tokens:,}",
        f"{line.reasoning_tokens:,}",
        f"{money(usd(line.cost_nanos), fine=True)}{'+' if line.unknown else ''}",
        percent(share),
        money(usd(line.estimated_nanos), fine=True),
        money(usd(line.avoided_nanos), fine=True),
        money(usd(line.cache_read_saved_nanos), fine=True),
        money(usd(line.cache_write_extra_nanos), fine=True),
        f"{line.exact + line.reconciled:,}",
        f"{line.estimated:,}",
        f"{line.unknown:,}",
        f"{line.requests - asked:,}",
    ]


def _prompt(line: Totals) -> int:
    return line.input_tokens + line.cache_read_tokens + line.cache_write_tokens + line.cache_write_1h_tokens


def _print_csv(found: CostReport) -> None:
    from headgate.cli.table import as_csv
    from headgate.core.money import usd
    from headgate.stores.totals import SUMS

    names = [name for name in SUMS if not name.endswith("_nanos")]
    titles = ["purpose", *found.by, *names, "cost_usd", "estimated_usd", "avoided_usd", *_CACHE_USD]
    rows = [
        [
            *group,
            *(getattr(line, name) for name in names),
            f"{usd(line.cost_nanos):f}",
            f"{usd(line.estimated_nanos):f}",
            f"{usd(line.avoided_nanos):f}",
            f"{usd(line.cache_read_saved_nanos):f}",
            f"{usd(line.cache_write_extra_nanos):f}",
        ]
        for group, line in [
            *((("", *line.group), line) for line in found.lines),
            *((line.group, line) for line in found.apart),
            *(((f"ledger:{line.group[0]}", *line.group[1:]), line) for line in found.differences),
        ]
    ]
    click.echo(as_csv(titles, rows, words=1 + len(found.by)), nl=False)


def _as_json(found: CostReport) -> dict[str, Any]:
    from headgate.core.money import usd

    names = ["purpose", *found.by]
    return {
        "by": list(found.by),
        "lines": [_told(line, dict(zip(found.by, line.group, strict=True))) for line in found.lines],
        "total": _told(found.total, {}),
        "apart": [_told(line, dict(zip(names, line.group, strict=True))) for line in found.apart],
        "total_apart": _told(found.total_apart, {}),
        "differences": [
            _told(line, dict(zip(["kind", *found.by], line.group, strict=True))) for line in found.differences
        ],
        "total_differences": _told(found.total_differences, {}),
        "spent_usd": f"{usd(found.spent_nanos):f}",
    }


def _told(line: Totals, group: dict[str, str]) -> dict[str, Any]:
    from headgate.core.money import usd
    from headgate.stores.totals import SUMS

    return {
        **group,
        **{name: getattr(line, name) for name in SUMS},
        "cost_usd": f"{usd(line.cost_nanos):f}",
        "estimated_usd": f"{usd(line.estimated_nanos):f}",
        "avoided_usd": f"{usd(line.avoided_nanos):f}",
        "cache_read_saved_usd": f"{usd(line.cache_read_saved_nanos):f}",
        "cache_write_extra_usd": f"{usd(line.cache_write_extra_nanos):f}",
    }
