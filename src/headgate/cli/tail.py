"""`headgate tail`."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.output import config_option, plain_failures, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.stores.spans import RequestRow

__all__ = ["command"]


@click.command()
@config_option
@click.option(
    "--last",
    "-n",
    type=click.IntRange(0, 10_000),
    default=10,
    show_default=True,
    help="Begin with the last N.",
)
@click.option("--feature", metavar="NAME", help="Only this feature's.")
@click.option("--failed", is_flag=True, help="Only those that did not end well.")
@click.option("--no-follow", is_flag=True, help="End after the last N instead of waiting for more.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: one object a line, with all columns.")
def command(
    config: Path | None, last: int, feature: str | None, *, failed: bool, no_follow: bool, as_json: bool
) -> None:
    """Watch requests as they end, a line each, until Ctrl-C.

    A `~` after the name is a stream, before a cost an estimate. `headgate show REQUEST` shows one whole.

    \b
    Examples:
      headgate tail
      headgate tail --feature support-chat --failed
      headgate tail --json --last 1000 --no-follow | jq .cost_usd
    """
    configuration = read_configuration(config)

    def wanted(row: RequestRow) -> bool:
        return (feature is None or row.feature == feature) and not (failed and row.outcome == "ok")

    with plain_failures(), contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_tail(configuration, last, wanted, follow=not no_follow, as_json=as_json))


async def _tail(
    configuration: Configuration,
    last: int,
    wanted: Callable[[RequestRow], bool],
    *,
    follow: bool,
    as_json: bool,
) -> None:
    from headgate.cli.lines import HEADER, request_line
    from headgate.cli.lines import as_json as told
    from headgate.compose.stores import open_stores
    from headgate.control.traces import tail

    stores = open_stores(configuration.settings)
    if not as_json:
        say(HEADER)

    def show(row: RequestRow) -> None:
        if wanted(row):
            click.echo(json.dumps(told(row), ensure_ascii=False) if as_json else request_line(row))

    try:
        if follow:
            async for row in tail(stores.spans, last=last):
                show(row)
        else:
            for row in (await stores.spans.latest(last)).rows:
                show(row)
    finally:
        await stores.aclose()
