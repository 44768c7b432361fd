"""`headgate forget`: delete everything that is kept of one user."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.stores.forgetting import Forgotten

__all__ = ["command"]

_WORDS = {
    "requests": "requests without a name, content, session, tags",
    "contents": "prompts and answers",
    "sessions": "conversations",
    "scores": "judgements without words and names",
    "sums": "sums under another name",
    "alerts": "alerts",
    "answers": "answers that were kept to be given again",
    "receivers": "receivers of alerts",
    "ledger": "movements of money under another name",
}


@click.command()
@click.option(
    "--user",
    required=True,
    metavar="ID",
    help="Whom, as callers say it: the header x-headgate-user, or `user`.",
)
@config_option
@click.option("--yes", "-y", is_flag=True, help="Do not ask.")
@click.option(
    "--vacuum",
    is_flag=True,
    help="Write the database anew, so that no gap in a file holds anything of it. Takes long.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(user: str, config: Path | None, *, yes: bool, vacuum: bool, as_json: bool) -> None:
    """Delete everything that is kept of one user, for good: prompts, answers, sessions, tags, comments, the name itself.

    Tokens, times and money stay, under a name made by chance. The audit log has the deed without the name. Beside a running
    gateway, its API does it better, for it also empties the gateway's journal and memory at once:
    DELETE /api/users/ID. Backups, exports and other systems that were told are not in Headgate's hands.

    \b
    Examples:
      headgate forget --user u-4711
      headgate forget --user u-4711 --yes --json

    Exit codes: 0 forgotten; 1 it did not work, or a key of the user is still valid; 2 the arguments are wrong.
    """
    if not user:
        fail("--user is empty: whom to forget is not said", code=2)
    configuration = read_configuration(config)
    if not yes:
        click.confirm(f"Delete everything of user {user!r}, for good?", abort=True, err=True)
    with plain_failures():
        done, waiting = asyncio.run(_forget(configuration, user, vacuum=vacuum))
    if as_json:
        import msgspec

        print_json({**msgspec.structs.asdict(done), "journals_in_use": waiting})
        return
    for name, words in _WORDS.items():
        if count := getattr(done, name):
            click.echo(f"{count:>8,}  {words}")
    if not any(getattr(done, name) for name in _WORDS):
        say("nothing was kept of this user")
    if not done.scoured:
        say("old versions of rows stand in the server's files until it has vacuumed; --vacuum does it now")
    for path in waiting:
        say(f"a gateway is running: {path} may hold some of it until the gateway has looked, within a minute")


async def _forget(configuration: Configuration, user: str, *, vacuum: bool) -> tuple[Forgotten, list[str]]:
    from headgate.compose.forgetting import forget_user
    from headgate.compose.stores import journal_directory, open_stores
    from headgate.stores.forgetting import UserHasKeys

    settings = configuration.settings
    stores = open_stores(settings)
    try:
        done = await forget_user(stores, settings, user, actor=actor(), whole=vacuum)
    except UserHasKeys as keys:
        fail(str(keys))
    finally:
        await stores.aclose()
    return done, sorted(str(path) for path in journal_directory(settings).glob("*.journal"))
