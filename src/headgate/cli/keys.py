"""`headgate keys`: create, list, revoke. Works on the database; a running gateway knows of it within a second."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose import Stores
    from headgate.config.loader import Configuration
    from headgate.stores.keys import KeyRecord

__all__ = ["command"]

T = TypeVar("T")

_DAYS = re.compile(r"\s*(\d+)\s*(d|days?|w|weeks?|m|months?|y|years?)\s*", re.IGNORECASE)
_IN_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_NS_A_DAY = 86_400 * 1_000_000_000


@click.group()
def command() -> None:
    """Make, list and revoke keys.

    A key is what applications send as their API key. It is shown once, when it is made; the database holds a hash.
    A running gateway knows new and revoked keys within a second or so.

    \b
    Examples:
      headgate keys create shop
      headgate keys create batch --expires 90d --model classify --model summarise
      headgate keys list
      headgate keys revoke shop
    """


@command.command()
@click.argument("name")
@config_option
@click.option(
    "--expires", metavar="WHEN", help="Such as 90d, 12w, 1y, or a date: 2027-01-31. Without it: never."
)
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    metavar="NAME",
    help="A feature or model it may ask for; may be repeated. Without it: all.",
)
@click.option("--team", default="", help="Whom its costs belong to.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def create(
    name: str, config: Path | None, expires: str | None, models: tuple[str, ...], team: str, *, as_json: bool
) -> None:
    """Make a key and show it, once. NAME is your word for it, such as the application that will use it.

    Only the key goes to standard output: KEY=$(headgate keys create shop)
    """
    from headgate.admission.keys import hash_key, new_key
    from headgate.core.ids import IdSource, request_id_text
    from headgate.stores.keys import KeyRecord

    configuration = read_configuration(config)
    if not name.strip() or not name.isprintable() or len(name) > 100:
        fail("a key's name is 1 to 100 printable characters", code=2)
    _warn_of_unknown(configuration, models)
    expires_ns = _expiry(expires) if expires else None
    key = new_key()

    async def add(stores: Stores) -> KeyRecord:
        if any(record.name == name and record.revoked_ns is None for record in await stores.keys.all()):
            fail(f"there is a key `{name}` already; choose another name, or revoke that one first")
        record = KeyRecord(
            id=request_id_text(IdSource().next()).replace("req_", "key_"),
            name=name,
            hash=hash_key(key, await stores.keys.secret()).hex(),
            created_ns=time.time_ns(),
            expires_ns=expires_ns,
            team=team,
            models=models,
        )
        await stores.keys.add(record)
        return record

    record = _with_stores(configuration, add)
    if as_json:
        print_json({**_told(record), "key": key})
        return
    say(
        f"key `{name}` ({record.id}), {_until(record)}, for {', '.join(models) or 'everything'}. It is shown this once:"
    )
    click.echo(key)


@command.command(name="list")
@config_option
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones too.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(config: Path | None, *, everything: bool, as_json: bool) -> None:
    """List keys: who, since when, until when, for what. The keys themselves are known to nobody."""
    configuration = read_configuration(config)

    async def read(stores: Stores) -> Sequence[KeyRecord]:
        return await stores.keys.all()

    records = [
        record for record in _with_stores(configuration, read) if everything or _state(record) == "valid"
    ]
    if as_json:
        print_json([_told(record) for record in records])
        return
    if not records:
        say("no keys; `headgate keys create NAME` makes one")
        return
    _print_table(records)


@command.command()
@click.argument("name")
@config_option
def revoke(name: str, config: Path | None) -> None:
    """Make a key invalid, now and for good. NAME is its name or its id."""
    configuration = read_configuration(config)

    async def take(stores: Stores) -> KeyRecord:
        records = await stores.keys.all()
        found = [each for each in records if name in (each.name, each.id) and each.revoked_ns is None]
        if not found:
            from headgate.config.problems import did_you_mean

            names = [each.name for each in records if each.revoked_ns is None]
            fail(f"no valid key `{name}`{did_you_mean(name, names)}")
        await stores.keys.revoke(found[0].id, time.time_ns())
        return found[0]

    record = _with_stores(configuration, take)
    say(f"key `{record.name}` ({record.id}) is revoked; running gateways refuse it within a second or so")


def _with_stores(configuration: Configuration, work: Callable[[Stores], Awaitable[T]]) -> T:
    from headgate.compose import open_stores

    async def run() -> T:
        stores = open_stores(configuration.settings)
        try:
            return await work(stores)
        finally:
            await stores.aclose()

    with plain_failures():
        return asyncio.run(run())


def _warn_of_unknown(configuration: Configuration, models: Sequence[str]) -> None:
    settings = configuration.settings
    for model in models:
        known = model in settings.features or model in settings.models
        if not known and model.partition("/")[0] not in settings.providers:
            say(click.style("note: ", fg="yellow") + f"no feature or model `{model}` is configured now")


def _expiry(text: str) -> int:
    """Nanoseconds since 1970 at which a key made now expires."""
    found = _DAYS.fullmatch(text)
    if found:
        return time.time_ns() + int(found[1]) * _IN_DAYS[found[2][0].lower()] * _NS_A_DAY
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f'--expires "{text}" is neither like 90d, 12w, 6m or 1y nor a date like 2027-01-31', code=2)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    expires_ns = int(moment.timestamp()) * 1_000_000_000
    if expires_ns <= time.time_ns():
        fail(f'--expires "{text}" is over already', code=2)
    return expires_ns


def _state(record: KeyRecord) -> str:
    if record.revoked_ns is not None:
        return "revoked"
    return "expired" if record.expires_ns is not None and record.expires_ns <= time.time_ns() else "valid"


def _until(record: KeyRecord) -> str:
    return (
        f"valid until {_day(record.expires_ns)}" if record.expires_ns is not None else "valid until revoked"
    )


def _day(ns: int | None) -> str:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M UTC") if ns is not None else ""


def _told(record: KeyRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "state": _state(record),
        "created": _day(record.created_ns),
        "expires": _day(record.expires_ns) or None,
        "revoked": _day(record.revoked_ns) or None,
        "team": record.team,
        "models": list(record.models),
    }


def _print_table(records: Sequence[KeyRecord]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("name", "id", "state", "created", "expires", "for", "team"):
        table.add_column(title, no_wrap=title in ("name", "id", "state"))
    for record in records:
        told = _told(record)
        table.add_row(
            record.name,
            record.id,
            str(told["state"]),
            str(told["created"]),
            str(told["expires"] or "never"),
            ", ".join(record.models) or "everything",
            record.team,
        )
    Console().print(table)
