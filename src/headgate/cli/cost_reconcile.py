"""`headgate cost reconcile`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.actor import actor
from headgate.cli.cost_options import money, percent
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration

if TYPE_CHECKING:
    from headgate.config.model import Settings
    from headgate.control.costs.provider_reports.lines import ProviderReport
    from headgate.control.costs.reconcile import Compared, RatesOf, Reconciliation

__all__ = ["reconcile_command"]

_TITLES = (
    "day",
    "model",
    "tokens theirs",
    "tokens ours",
    "USD theirs",
    "USD ours",
    "difference",
    "change",
    "",
)


@click.command("reconcile", short_help="Does the provider's bill say the same?")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@config_option
@click.option(
    "--provider",
    type=click.Choice(("openai", "anthropic")),
    help="Whose report it must be. Without it: whose it is.",
)
@click.option(
    "--of",
    "names",
    multiple=True,
    metavar="NAME",
    help="Which of your providers it is about; may be repeated. Without it: all of that kind.",
)
@click.option(
    "--apply/--dry-run",
    "applied",
    default=False,
    help="Enter the differences into the ledger, or only show them (the default).",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="With --apply: also what only the report has, such as calls that did not pass here.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def reconcile_command(
    files: Sequence[Path],
    config: Path | None,
    provider: str | None,
    names: Sequence[str],
    *,
    applied: bool,
    everything: bool,
    as_json: bool,
) -> None:
    """Compare a provider's report with the ledger, by day (UTC) and model, and enter the difference if you say so.

    FILE is a reply of OpenAI's usage or costs API or of Anthropic's usage_report or cost_report (JSON), or a CSV file that
    their usage pages export; which one it is, is seen from what is in it. Give several for all pages of a reply, or for
    tokens and money together. Tokens without money are priced at your prices, and it is said so.

    With --apply each difference becomes a line of the ledger, labelled reconciled; records are not changed. The same
    report again adds nothing, a later one of the same day corrects the earlier.

    \b
    Examples:
      headgate cost reconcile costs.json
      headgate cost reconcile usage.json costs.json --provider openai --apply
      headgate cost reconcile claude_api_cost_2026_11.csv --of anthropic --json
    """
    from headgate.control.costs.reconcile import apply, reconcile

    report = _read(files, provider)
    configuration = read_configuration(config)
    ours = _ours(configuration.settings, report.provider, names)
    rates_of = _rates(configuration.settings, report.provider, ours)

    async def run() -> tuple[Reconciliation, tuple[int, int]]:
        from headgate.compose.stores import open_stores

        stores = open_stores(configuration.settings)
        try:
            found = await reconcile(stores.spans, stores.ledger, report, ours, rates_of)
            entered = (0, 0)
            if applied:
                entered = await apply(stores.ledger, found, everything=everything, actor=actor())
            return found, entered
        finally:
            await stores.aclose()

    with plain_failures():
        found, entered = asyncio.run(run())
    if as_json:
        print_json(_as_json(found, entered, applied=applied, everything=everything))
    else:
        click.echo("\n".join(_lines(found, entered, applied=applied, everything=everything)))
    if applied and entered[0] < entered[1]:
        fail("somebody else has just entered some of these differences: run it again")


def _read(files: Sequence[Path], provider: str | None) -> ProviderReport:
    from headgate.control.costs.provider_reports.lines import ReportRefused
    from headgate.control.costs.provider_reports.reading import MOST_BYTES, read_report

    contents = []
    for path in files:
        try:
            with path.open("rb") as file:
                contents.append((str(path), file.read(MOST_BYTES + 1)))
        except OSError as failure:
            fail(f"{path}: {failure.strerror or failure}")
    try:
        report = read_report(contents)
    except ReportRefused as wrong:
        fail(str(wrong))
    if provider and provider != report.provider:
        fail(f"--provider {provider}: the report is {report.provider}'s", code=2)
    return report


def _ours(settings: Settings, vendor: str, names: Sequence[str]) -> list[str]:
    """Our names of that provider."""
    if names:
        for name in names:
            if name not in settings.providers:
                import difflib

                near = difflib.get_close_matches(name, settings.providers, n=1)
                hint = (
                    f"did you mean `{near[0]}`?"
                    if near
                    else f"there are {', '.join(settings.providers) or 'none'}"
                )
                fail(f"--of {name}: no such provider; {hint}", code=2)
        return list(dict.fromkeys(names))
    found = [name for name, each in settings.providers.items() if _is_of(each, vendor)]
    if not found:
        fail(f"no provider of the configuration is {vendor}'s; say with --of NAME which is meant", code=2)
    return found


def _is_of(settings: Any, vendor: str) -> bool:
    """Does the vendor itself serve it, rather than a server of one's own that speaks its wire format?"""
    from headgate.compose.providers import build_provider

    if settings.self_hosted or settings.priced_as not in ("", vendor):
        return False
    try:
        return build_provider(settings).adapter.kind == vendor
    except (ValueError, OSError, ImportError):
        return False


def _rates(settings: Settings, vendor: str, providers: Sequence[str]) -> RatesOf:
    """Prices of the configuration first, then the list's."""
    from headgate.compose.prices import own_rates_of
    from headgate.compose.providers import build_provider
    from headgate.control.costs.matching import family
    from headgate.providers.catalog.book import PriceBook
    from headgate.providers.catalog.rates import Rates

    own: dict[str, Rates] = {}
    built = {}
    for name in providers:
        try:
            built[name] = build_provider(settings.providers[name])
        except (ValueError, OSError, ImportError) as wrong:
            fail(f"providers.{name}: {wrong}", code=2)
    for model in settings.models.values():
        for endpoint in model.endpoints:
            if endpoint.provider in built:
                rated = own_rates_of(built[endpoint.provider], endpoint.model, endpoint.price or model.price)
                if rated is not None:
                    own[endpoint.model] = own[family(endpoint.model)] = rated
    book = PriceBook()

    def rates(model: str, when_ns: int) -> Rates | None:
        found = own.get(model) or own.get(family(model))
        return found or book.rates(vendor, model, when_ns) or book.rates(vendor, family(model), when_ns)

    return rates


def _lines(
    found: Reconciliation, entered: tuple[int, int], *, applied: bool, everything: bool
) -> Iterator[str]:
    from headgate.cli.table import aligned, plain

    report = found.report
    yield f"{', '.join(report.forms)} beside {', '.join(found.providers)}"
    yield ""
    both = [line for line in found.lines if line.in_report and line.in_ours]
    theirs = [line for line in found.lines if line.in_report and not line.in_ours]
    ours = [line for line in found.lines if not line.in_report]
    for title, lines in (
        ("", both),
        ("Only in the report", theirs),
        ("Only in the ledger, and left as it is", ours),
    ):
        if lines:
            if title:
                yield ""
                yield click.style(title, bold=True)
            yield aligned(_TITLES, [_row(line) for line in lines], left=2, last=_sum(lines))
    yield ""
    if report.unknown:
        yield f"  Not understood, and not read: {plain(', '.join(report.unknown), 200)}"
    for note in (*report.notes, *_notes(found)):
        yield f"  {plain(note, 300)}"
    if applied:
        yield f"Entered {_count(entered[0])} into the ledger."
    else:
        count = _count(len(found.to_apply(everything=everything)))
        yield f"Nothing was entered; --apply would enter {count}."


def _count(differences: int) -> str:
    return f"{differences} {'difference' if differences == 1 else 'differences'}"


def _notes(found: Reconciliation) -> Iterator[str]:
    lines = [line for line in found.lines if line.in_report]
    if any(line.priced for line in lines):
        yield "~ the report has no money: their tokens at your prices, each prompt taken as a short one."
    if any(line.theirs_nanos is None for line in lines):
        yield "? no price is known for the model: write one into the configuration (`price`)."
    if any(line.unknown for line in lines):
        yield "+ calls of unknown cost come on top of ours; what they have cost is part of the difference."
    if any(line.day >= time.strftime("%Y-%m-%d", time.gmtime()) for line in lines):
        yield "The last day is not over yet: both sides will grow."


def _row(line: Compared) -> list[str]:
    from headgate.cli.table import plain

    marks = [("~", line.priced), ("?", line.in_report and line.theirs_nanos is None), ("+", line.unknown)]
    return [
        line.day,
        plain(line.model, 40),
        f"{line.theirs.total:,}" if line.theirs is not None else "-",
        f"{line.ours.total:,}",
        _usd(line.theirs_nanos),
        _usd(line.ours_nanos),
        _usd(line.difference),
        _change(line.difference, line.ours_nanos),
        "".join(mark for mark, there in marks if there),
    ]


def _sum(lines: Sequence[Compared]) -> list[str]:
    known = [line for line in lines if line.theirs_nanos is not None]
    difference = sum(line.difference or 0 for line in known)
    tokens = [line.theirs.total for line in lines if line.theirs is not None]
    return [
        "all",
        "",
        f"{sum(tokens):,}" if tokens else "-",
        f"{sum(line.ours.total for line in lines):,}",
        _usd(sum(line.theirs_nanos or 0 for line in known)) if known else "-",
        _usd(sum(line.ours_nanos for line in lines)),
        _usd(difference) if known else "-",
        _change(difference, sum(line.ours_nanos for line in known)) if known else "-",
        "",
    ]


def _usd(amount: int | None) -> str:
    from headgate.core.money import usd

    return "-" if amount is None else money(usd(amount), fine=True)


def _change(difference: int | None, ours: int) -> str:
    from decimal import Decimal

    if difference is None or not ours:
        return "-"
    part = Decimal(difference) / ours
    return f"{'+' if part > 0 else ''}{percent(part)}"


def _as_json(
    found: Reconciliation, entered: tuple[int, int], *, applied: bool, everything: bool
) -> dict[str, Any]:
    return {
        "provider": found.report.provider,
        "providers": list(found.providers),
        "forms": list(found.report.forms),
        "unknown": list(found.report.unknown),
        "notes": [*found.report.notes, *_notes(found)],
        "lines": [_told(line) for line in found.lines],
        "applied": applied,
        "to_apply": len(found.to_apply(everything=everything)),
        "entered": entered[0],
    }


def _told(line: Compared) -> dict[str, Any]:
    from headgate.core.money import usd

    def plain(amount: int | None) -> str | None:
        return None if amount is None else f"{usd(amount):f}"

    return {
        "day": line.day,
        "model": line.model,
        "in_report": line.in_report,
        "in_ledger": line.in_ours,
        "their_tokens": None if line.theirs is None else line.theirs.total,
        "our_tokens": line.ours.total,
        "tokens_difference": line.tokens_difference,
        "their_usd": plain(line.theirs_nanos),
        "our_usd": plain(line.ours_nanos),
        "difference_usd": plain(line.difference),
        "priced_by_us": line.priced,
        "unknown_calls": line.unknown,
    }
