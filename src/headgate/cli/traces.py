"""`headgate traces`: look for requests, and write them out."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headgate.cli.output import config_option, fail, plain_failures, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.stores.searching import Found, Search

__all__ = ["command", "search_from", "search_options"]

F = TypeVar("F", bound=Callable[..., Any])

_SECONDS = 2.0
"""How long a page looks into contents before it says how far it has come."""

_OPTIONS = {
    "since": ("WHEN", "From then on: 24h, 7d, or a date like 2027-01-31."),
    "until": ("WHEN", "Before then."),
    "feature": ("NAME", "Of this feature."),
    "user": ("ID", "Of this user."),
    "session": ("ID", "Of this session."),
    "key": ("ID", "Of the key with this id."),
    "team": ("NAME", "Of this team."),
    "tenant": ("NAME", "Of this tenant."),
    "model": ("NAME", "That asked for this model, were sent to it, or were answered by it."),
    "provider": ("NAME", "Answered by this provider."),
    "status": ("CODE", "With this HTTP status: 429, 5xx or 400-499."),
    "outcome": ("HOW", "That ended so: ok, refused, failed, hung_up, cut_off."),
    "error": ("CODE", "With this error code."),
    "purpose": ("WHAT", 'shadow, replay, or "" for callers\' own.'),
    "prompt": ("NAME@N", "With this prompt."),
    "cache": ("HOW", "That memory answered so: exact, semantic, joined, stale, miss, bypass, refreshed."),
    "given-from": ("REQUEST", "That were given the answer of this request."),
    "config-hash": ("HASH", "Served by the configuration with this hash."),
    "slower": ("TIME", "That took at least so long: 2s."),
    "faster": ("TIME", "That took at most so long."),
    "first-slower": ("TIME", "Whose first content took at least so long."),
    "first-faster": ("TIME", "Whose first content took at most so long."),
    "costlier": ("USD", "That cost at least so much."),
    "cheaper": ("USD", "That cost at most so much."),
    "score": ("BOUND", "Judged so: helpful<=0.5, stars>=4, or a name alone."),
    "trace": ("ID", "Of the caller's trace with this id."),
    "replay-of": ("REQUEST", "That repeat this request."),
    "text": ("TEXT", "With this text in the prompt or the answer."),
}
_FLAGS = {
    "failed": "That did not end well, whoever is to blame.",
    "stream/--whole": "Streams, or whole answers.",
    "degraded/--not-degraded": "Answered by a degrade ladder, or not.",
    "cached/--not-cached": "Answered from memory, or by the call of another one; or not.",
    "retried/--not-retried": "With more than one attempt, or not.",
}


def search_options(command: F) -> F:
    """The options by which requests are looked for, on a command; all of them must be true of a request."""
    for flags, words in reversed(_FLAGS.items()):
        command = click.option(f"--{flags}", is_flag=True, default=None, help=words)(command)
    command = click.option(
        "--tag", "tag", multiple=True, metavar="NAME=VALUE", help="With this tag; may be said more than once."
    )(command)
    for name, (kind, words) in reversed(_OPTIONS.items()):
        command = click.option(f"--{name}", default=None, metavar=kind, help=words)(command)
    return command


def search_from(options: dict[str, Any]) -> Search:
    """The search that a command's options mean. Ends the command with code 2 if they mean none."""
    from headgate.control.looking import WrongSearch, search_of

    words: dict[str, str] = {}
    for name, value in options.items():
        if name == "tag":
            if value:
                words["tag"] = ",".join(value)
        elif value is not None:
            told = ("yes" if value else "no") if isinstance(value, bool) else str(value)
            words["config" if name == "config_hash" else name] = told
    try:
        return search_of(words)
    except WrongSearch as wrong:
        fail(f"--{wrong.param.replace('_', '-')}: {wrong}", code=2)


@click.group(invoke_without_command=True)
@config_option
@search_options
@click.option(
    "--limit", "-n", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts: one object a line, with all columns.")
@click.pass_context
def command(ctx: click.Context, /, config: Path | None, limit: int, *, as_json: bool, **options: Any) -> None:
    """Look for requests, newest first. `headgate show REQUEST` shows one whole.

    All that is asked for must be true of a request. Text is looked for by reading prompts and answers; over a long time that
    takes a while, so say --since or a feature too.

    \b
    Examples:
      headgate traces --feature support-chat --failed --since 24h
      headgate traces --slower 2s --model small --json | jq .cost_usd
      headgate traces --text "order 4711" --since 7d
      headgate traces export --feature support-chat --out traces.jsonl

    Exit codes: 0 it worked, also if nothing was found; 1 it did not; 2 the arguments are wrong.
    """
    if ctx.invoked_subcommand is not None:
        return
    search = search_from(options)
    configuration = read_configuration(config)
    with plain_failures():
        asyncio.run(_list(configuration, search, limit, as_json=as_json))


async def _list(configuration: Configuration, search: Search, limit: int, *, as_json: bool) -> None:
    from headgate.cli.lines import HEADER, request_line
    from headgate.cli.lines import as_json as told

    shown = 0
    async for page in _pages(configuration, search, limit):
        for row in page.rows:
            if not shown and not as_json:
                say(HEADER)
            shown += 1
            click.echo(json.dumps(told(row), ensure_ascii=False) if as_json else request_line(row))
    if not shown:
        say("no such requests")
    elif shown == limit:
        say(f"these are the newest {limit}; there may be more: --limit, --until")


async def _pages(configuration: Configuration, search: Search, limit: int) -> AsyncIterator[Found]:
    from headgate.compose.stores import open_stores

    stores: Stores = open_stores(configuration.settings)
    patient = sys.stderr.isatty()
    before, left = 0, limit
    try:
        while left:
            page = await stores.spans.search(search, before=before, limit=min(left, 500), seconds=_SECONDS)
            left -= len(page.rows)
            yield page
            if not page.next:
                break
            before = page.next
            if patient and left:
                moment = datetime.fromtimestamp(page.searched_to_ns / 1e9, tz=UTC)
                click.echo(f"  searched back to {moment:%Y-%m-%d %H:%M:%S} UTC ...\r", err=True, nl=False)
    finally:
        await stores.aclose()


@command.command()
@config_option
@search_options
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("-"),
    show_default="standard output",
    help="The file to write; `-`: standard output.",
)
@click.option("--content", is_flag=True, help="Prompts and answers too.")
@click.option(
    "--limit", "-n", type=click.IntRange(0), default=0, help="How many at most, the newest; 0: all."
)
@click.option("--quiet", "-q", is_flag=True, help="No progress.")
def export(config: Path | None, out: Path, limit: int, *, content: bool, quiet: bool, **options: Any) -> None:
    """Write requests out as JSONL: one object a line, newest first, in a form that stays.

    Each line has `schema` (headgate.request.v1), `request`, `attempts` and, with --content, `prompt`, `reply` and `reply_text`.
    The how-to "look-into-requests" describes them.

    \b
    Examples:
      headgate traces export --since 7d --out week.jsonl
      headgate traces export --feature support-chat --content | jq -r .reply_text
    """
    search = search_from(options)
    configuration = read_configuration(config)
    with plain_failures():
        count = asyncio.run(_export(configuration, search, out, limit, content=content, quiet=quiet))
    say(f"{count:,} requests written{'' if str(out) == '-' else f' to {out}'}")


async def _export(
    configuration: Configuration, search: Search, out: Path, limit: int, *, content: bool, quiet: bool
) -> int:
    import msgspec

    from headgate.cli.export_progress import progress_of
    from headgate.compose.stores import open_stores
    from headgate.control.exporting import export as exporting

    stores = open_stores(configuration.settings)
    count = 0
    # Prompts may be in it: nobody else on the machine needs to read them.
    opener = click.open_file("-", "wb") if str(out) == "-" else _private(out)
    try:
        with opener as file, progress_of(search, limit, shown=not quiet and sys.stderr.isatty()) as step:
            async for one in exporting(stores.spans, search, content=content, limit=limit):
                file.write(msgspec.json.encode(one) + b"\n")
                count += 1
                step(count, int(one.request["started_ns"]))
    finally:
        await stores.aclose()
    return count


def _private(out: Path) -> Any:
    import os

    return os.fdopen(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")
