"""`headgate feedback`: say what somebody thinks of an answer, and read what was said."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration

__all__ = ["command"]

T = TypeVar("T")

_PIPE_WIDTH = 400


@click.group()
def command() -> None:
    """Say what somebody thinks of an answer, and read what was said.

    An answer is told apart by its header x-request-id. Applications say the same over POST /api/feedback, browsers over
    POST /feedback; `headgate quality` adds it all up.

    \b
    Examples:
      headgate feedback add req_0g3kz5v8r1c00 --thumbs down --comment "Wrong city."
      headgate feedback add --session chat-17 --task-completed
      headgate feedback list --feature support-chat --name comment
    """


@command.command()
@click.argument("request_id", required=False, default="")
@config_option
@click.option("--session", default="", metavar="NAME", help="Judge a conversation instead of one request.")
@click.option("--thumbs", type=click.Choice(["up", "down"]), default=None, help="Good or bad.")
@click.option("--rating", type=click.FloatRange(1, 5), default=None, help="1, the worst, to 5.")
@click.option(
    "--task-completed/--task-failed",
    "task_completed",
    default=None,
    help="Did the user get what they came for?",
)
@click.option("--comment", default="", metavar="TEXT", help="In words. Kept only if contents are.")
@click.option("--correction", default="", metavar="TEXT", help="What would have been right.")
@click.option("--name", default="", metavar="NAME", help="Your word for what --number or --label says.")
@click.option("--number", type=float, default=None, help="A number under --name.")
@click.option("--label", default="", metavar="WORD", help="A word under --name.")
@click.option("--user", default="", metavar="USER", help="Who says it; their latest word counts.")
@click.option("--event", default="", metavar="NAME", help="Your name for it: said again, it changes nothing.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def add(request_id: str, config: Path | None, *, as_json: bool, **said: Any) -> None:
    """Say what somebody thinks of the answer to REQUEST_ID, or of a conversation.

    Exit codes: 0 it is kept; 1 it is not: there is no such request, or the database does not answer; 2 the arguments are
    wrong.
    """
    from headgate.cli.actor import actor
    from headgate.control.feedback import Kept, give, keeps_words, unkept_features
    from headgate.quality.feedback import Given, Giver, Refused

    configuration = read_configuration(config)
    given = Given(request=request_id, **said)
    giver = Giver(prefix=f"cli/{actor()}", content=configuration.settings.records.content)

    async def work(stores: Stores) -> list[Kept]:
        unkept = unkept_features(configuration.settings.features)
        return await give(stores.scores, [given], giver, partial(keeps_words, stores.spans, unkept))

    try:
        (kept,) = _with_stores(configuration, work)
    except Refused as wrong:
        fail(str(wrong), code=1 if "there is no request" in str(wrong) else 2)
    if as_json:
        print_json(
            {
                "about": kept.about,
                "names": list(kept.names),
                "state": kept.state,
                "left_out": list(kept.left_out),
            }
        )
        return
    words = {
        "joined": "kept",
        "waiting": "kept; it counts as soon as its request is stored",
        "repeated": "was said before",
    }
    say(f"{', '.join(kept.names)} of {kept.about}: {words[kept.state]}")
    if kept.left_out:
        say(f"not kept, because texts about it are not kept here: {', '.join(kept.left_out)}")


@command.command(name="list")
@config_option
@click.option(
    "--since", default="30d", show_default=True, metavar="WHEN", help="2h, 7d, or a date: 2027-01-31."
)
@click.option("--request", "request_id", default="", metavar="REQUEST_ID", help="Only of this request.")
@click.option("--session", default=None, metavar="NAME", help="Only of this conversation and its requests.")
@click.option("--name", default=None, metavar="NAME", help="thumbs, rating, comment or another.")
@click.option("--feature", default=None, metavar="NAME", help="Only of this feature.")
@click.option("--prompt", default=None, metavar="NAME", help="Only of this prompt version.")
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=50, show_default=True, help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(
    config: Path | None, since: str, request_id: str, limit: int, *, as_json: bool, **only: str | None
) -> None:
    """List what was said, the latest last."""
    from headgate.cli.audit import _moment
    from headgate.control.feedback import score_facts
    from headgate.core.ids import parse_request_id
    from headgate.stores.scores import ScoreRow

    wanted: dict[str, str | int] = {name: value for name, value in only.items() if value is not None}
    if request_id:
        try:
            wanted["request_id"] = parse_request_id(request_id)
        except ValueError as wrong:
            fail(str(wrong), code=2)
    from_ns = _moment(since)

    async def work(stores: Stores) -> list[ScoreRow]:
        return list(await stores.scores.before(0, limit, since_ns=from_ns, only=wanted))

    rows = list(reversed(_with_stores(read_configuration(config), work)))
    if as_json:
        print_json([score_facts(row, content=True) for row in rows])
        return
    if not rows:
        say("nothing was said since then; `headgate feedback add --help` tells how it is said")
        return
    _print(rows)


def _print(rows: list[Any]) -> None:
    from datetime import UTC, datetime

    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from headgate.core.ids import request_id_text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("when (UTC)", "about", "name", "said", "by", "feature", "prompt"):
        table.add_column(title, no_wrap=title != "said")
    for row in rows:
        when = datetime.fromtimestamp(row.at_ns / 1e9, tz=UTC)
        about = request_id_text(row.request_id) if row.request_id else row.session
        value = row.text or row.label or ("" if row.number is None else f"{row.number:g}")
        by = row.evaluator or row.author or row.source
        cells = (f"{when:%Y-%m-%d %H:%M}", about, row.name, value, by, row.feature, row.prompt)
        table.add_row(*(escape(_plain(cell)) for cell in cells))
    console = Console()
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)


def _plain(text: str) -> str:
    # Written by people: nothing in it may move the cursor.
    return "".join(character if character.isprintable() else " " for character in text)


def _with_stores(configuration: Configuration, work: Callable[[Stores], Awaitable[T]]) -> T:
    from headgate.compose.stores import open_stores

    async def run() -> T:
        stores = open_stores(configuration.settings)
        try:
            return await work(stores)
        finally:
            await stores.aclose()

    with plain_failures():
        return asyncio.run(run())
