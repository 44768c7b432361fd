"""`headgate contract`: what features promise, and what was kept of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.quality.contracts.judging import Report

__all__ = ["command"]

_BAR = 16
_PIPE_WIDTH = 400
_COLORS = {"kept": "green", "at risk": "yellow", "broken": "red", "no data": "dim"}

_feature = click.option("--feature", "-f", metavar="NAME", help="This feature only.")
_window = click.option(
    "--window", metavar="TIME", help="Over this time instead of the contract's own: 1h to 90d."
)
_json = click.option("--json", "as_json", is_flag=True, help="For scripts.")


@click.group()
def command() -> None:
    """Contracts: what each feature promises, measured against what happened.

    A feature promises in the configuration: `contract = { availability = 0.999, latency_p95 = "8s" }`.

    \b
    Examples:
      headgate contract show
      headgate contract show --feature support-chat --window 7d
      headgate contract check --feature support-chat   # for CI: exit code 0, 1 or 2
    """


@command.command()
@config_option
@_feature
@_window
@_json
def show(config: Path | None, feature: str | None, window: str | None, *, as_json: bool) -> None:
    """Tell what is promised, what was reached, and what is left of each budget of errors.

    Burn: how many times as fast as it may the budget goes, in the last hour, six hours, three days.
    """
    from headgate.control.contracts import report_facts

    reports = _reports(config, feature, window)
    if as_json:
        print_json([report_facts(each) for each in reports])
        return
    if not reports:
        say("no feature promises anything; write `contract = { availability = 0.999 }` at one")
        return
    _print([report_facts(each) for each in reports])


@command.command()
@config_option
@_feature
@_window
@click.option("--strict", is_flag=True, help="A promise at risk counts as broken.")
@_json
def check(
    config: Path | None, feature: str | None, window: str | None, *, strict: bool, as_json: bool
) -> None:
    """Say whether every promise is kept, for CI.

    Exit code 0: all are. 1: one is broken (with --strict: or at risk). 2: there is not enough data for one, or the arguments
    or the configuration are wrong; then a message says so.
    """
    from headgate.control.contracts import exit_code, report_facts

    reports = _reports(config, feature, window)
    facts = [report_facts(each) for each in reports]
    code = exit_code(reports, strict=strict)
    if as_json:
        print_json({"exit_code": code, "contracts": facts})
        raise SystemExit(code)
    for contract in facts:
        for each in contract["promises"]:
            state = click.style(
                f"{each['state']:<8}", fg=_COLORS[each["state"]].replace("dim", "bright_black")
            )
            reached = f"{each['reached_text']} of {each['total']:,.0f}"
            click.echo(
                f"{state} {contract['feature']} {each['promise']}: {each['promised_text']} promised, {reached}"
            )
    if not facts:
        say("no feature promises anything")
    raise SystemExit(code)


def _reports(config: Path | None, feature: str | None, window: str | None) -> Sequence[Report]:
    from headgate.compose.stores import open_stores
    from headgate.config.problems import did_you_mean
    from headgate.control.contracts import NoContract, contract_reports, contracts_in, with_window
    from headgate.core.section import Duration

    settings = read_configuration(config).settings
    try:
        contracts = contracts_in(settings, feature)
        if window is not None:
            contracts = with_window(contracts, Duration.parse(window))
    except NoContract as missing:
        near = did_you_mean(missing.feature, missing.names) or "; no feature has one"
        fail(f"{missing}{near}", code=2)
    except ValueError as wrong:
        fail(f"--window: {wrong}", code=2)

    async def run() -> Sequence[Report]:
        stores = open_stores(settings)
        try:
            now = int(time.time())
            return await contract_reports(stores.rollups, stores.scores, contracts, now, stores.rules)
        finally:
            await stores.aclose()

    with plain_failures():
        return asyncio.run(run())


def _print(facts: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("feature", "promise", "state"):
        table.add_column(title, no_wrap=True)
    for title in ("promised", "reached", "of"):
        table.add_column(title, no_wrap=True, justify="right")
    for title in ("budget left", "burn 1 h / 6 h / 3 d"):
        table.add_column(title, no_wrap=True)
    for contract in facts:
        for each in contract["promises"]:
            table.add_row(
                Text(contract["feature"]),
                Text(each["promise"]),
                Text(each["state"], style=_COLORS[each["state"]]),
                each["promised_text"],
                each["reached_text"],
                f"{each['total']:,.0f}",
                _left(each["budget_left"]),
                " / ".join(_rate(one["long_rate"]) for one in each["burns"]),
            )
    console = Console()
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)


def _left(part: float | None) -> str:
    if part is None:
        return ""
    full = min(max(int(part * _BAR), 0), _BAR)
    return f"{'█' * full}{'░' * (_BAR - full)} {100 * part:4.0f} %"


def _rate(rate: float | None) -> str:
    return "-" if rate is None else f"{rate:.1f}"
