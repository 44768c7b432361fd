"""`headgate move`."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Self

import click

from headgate.cli.output import fail, plain_failures, print_json

__all__ = ["command"]


@click.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO", envvar="HEADGATE_MOVE_TO")
@click.option("--json", "as_json", is_flag=True, help="For scripts: how many rows of each table.")
def command(source: str, target: str, *, as_json: bool) -> None:
    """Copy an installation from SQLite to PostgreSQL: keys, the secret they are hashed with, records, prompts and
    answers, rehearsals, the audit log, and what the cache keeps in the file.

    FROM is sqlite:///PATH, TO is postgresql://USER:PASSWORD@HOST/DATABASE, an empty database. Stop the gateway before.
    All of it is moved or nothing; every table is counted on both sides. The file stays as it is, so the way back is to
    start the gateway on it again. Without TO it is taken from HEADGATE_MOVE_TO, which keeps the password out of the
    list of processes.

    \b
    Examples:
      headgate move sqlite:///headgate.db postgresql://gate:secret@db.example.com/headgate
      HEADGATE_MOVE_TO="$DATABASE_URL" headgate move sqlite:///headgate.db
    """
    from headgate.compose.stores import move_installation
    from headgate.stores.address import is_address, is_postgres, shown_database

    if is_postgres(source) or not source.startswith("sqlite:///"):
        fail("FROM must be `sqlite:///PATH`: an installation is moved from SQLite to PostgreSQL", code=2)
    if not is_address(target):
        fail("TO must be `postgresql://USER:PASSWORD@HOST/DATABASE`", code=2)
    with plain_failures(), _Bar() as bar:
        moved = asyncio.run(move_installation(Path(source.removeprefix("sqlite:///")), target, bar.show))
    if as_json:
        print_json({each.table: each.rows for each in moved})
        return
    for each in moved:
        click.echo(f"  {each.table:<18} {each.rows:>12,}")
    click.echo(
        f"Moved to {shown_database(target)}; every table has as many rows there. Set `server.database` to it."
    )


class _Bar:
    """One line that says how far it is, on a terminal; nothing in a log."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            TextColumn("{task.description:<18}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._progress.disable = not self._progress.console.is_terminal
        self._task = self._progress.add_task("", total=None)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show(self, table: str, done: int, whole: int) -> None:
        """See `Progress` of `headgate.stores.moving`."""
        self._progress.update(self._task, description=table, completed=done, total=whole)
