"""`headgate errors`: what went wrong, and how many people it hit."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.cost_options import moment_ns, percent
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.control.errors import Errors

__all__ = ["command"]

_NS = 1_000_000_000


@click.command()
@config_option
@click.option(
    "--since", default="24h", show_default=True, metavar="WHEN", help="24h, 7d, or a date such as 2026-11-01."
)
@click.option("--until", metavar="WHEN", help="Failures before then.")
@click.option(
    "--by",
    default="error,feature,model",
    show_default=True,
    metavar="WHAT,...",
    help="error, feature, model: a line for each combination.",
)
@click.option("--feature", metavar="NAME", help="Only this feature's.")
@click.option("--model", metavar="NAME", help="Only of this model, as the configuration names it.")
@click.option("--error", metavar="CODE", help="Only this error.")
@click.option("--top", type=click.IntRange(1), default=30, show_default=True, help="So many lines.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: every line.")
def command(
    config: Path | None,
    since: str,
    until: str | None,
    by: str,
    feature: str | None,
    model: str | None,
    error: str | None,
    top: int,
    *,
    as_json: bool,
) -> None:
    """Tell what went wrong: by error, feature and model, with the users that were affected, those first that hit most.

    Users are end users as callers name them; where they name none, keys. Failures are added up by the hour, so the first
    hour is a whole one. `headgate traces --error CODE` lists the requests.

    \b
    Examples:
      headgate errors
      headgate errors --since 7d --by error
      headgate errors --feature support-chat --json | jq '.items[] | select(.users > 10)'

    Exit codes: 0 it worked, also if nothing failed; 1 it did not; 2 the arguments are wrong.
    """
    from headgate.control.errors import parts

    now = time.time_ns()
    begins = moment_ns(since, now, "--since") // _NS
    ends = moment_ns(until, now, "--until") // _NS if until else now // _NS + 1
    if begins >= ends:
        fail("--since is not before --until", code=2)
    try:
        wanted = parts(by)
    except ValueError as wrong:
        fail(str(wrong), code=2)
    chosen = {"feature": feature, "model": model, "error_class": error}
    only = {name: value for name, value in chosen.items() if value is not None}
    configuration = read_configuration(config)
    with plain_failures():
        found = asyncio.run(_read(configuration, max(begins, 0), ends, wanted, only))
    if as_json:
        print_json(_as_json(found))
    elif not found.lines:
        say(f"nothing failed since {since}, as far as {configuration.settings.server.database} knows")
    else:
        click.echo(_table(found, wanted, top))


async def _read(
    configuration: Configuration, since: int, until: int, by: list[str], only: dict[str, str]
) -> Errors:
    from headgate.compose.stores import open_stores
    from headgate.control.errors import errors_of

    stores = open_stores(configuration.settings)
    try:
        return await errors_of(stores.rollups, since, until, by=by, only=only)
    finally:
        await stores.aclose()


def _table(found: Errors, by: list[str], top: int) -> str:
    from headgate.cli.table import aligned, plain
    from headgate.core.error_groups import GROUPS

    named = [name for name in ("feature", "model") if name in by]
    titles = ["error", "what", *named, "requests", "users", "share"]
    rows = [
        [
            plain(line.error),
            line.group.replace("_", " "),
            *(plain(getattr(line, name)) for name in named),
            f"{line.requests:,}",
            f"{line.users:,}",
            percent(line.requests / found.requests),
        ]
        for line in found.lines[:top]
    ]
    lines = [aligned(titles, rows, left=2 + len(named))]
    if len(found.lines) > top:
        lines.append(f"\n  {len(found.lines) - top:,} more: --top {len(found.lines)}")
    lines.append("")
    for group, number in found.groups.items():
        lines.append(f"  {number:>8,}  {group.replace('_', ' ')}: {GROUPS[group]}")
    return "\n".join(lines)


def _as_json(found: Errors) -> dict[str, object]:
    return {
        "since": found.since,
        "until": found.until,
        "items": [
            {
                name: getattr(line, name)
                for name in ("error", "group", "feature", "model", "requests", "users")
            }
            for line in found.lines
        ],
        "requests": found.requests,
        "groups": dict(found.groups),
    }
