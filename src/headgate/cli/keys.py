"""`headgate keys`: create, list, rotate, revoke. Works on the database; a running gateway knows of it within a second."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.control.keys import NoSuchKey
    from headgate.stores.keys import KeyRecord

__all__ = ["command"]

T = TypeVar("T")

_DAYS = re.compile(r"\s*(\d+)\s*(d|days?|w|weeks?|m|months?|y|years?)\s*", re.IGNORECASE)
_IN_DAYS = {"d": 1, "w": 7, "m": 30, "y": 365}
_NS_A_DAY = 86_400 * 1_000_000_000
_LAST_NS = 290 * 365 * _NS_A_DAY
"""Moments are kept as 64-bit nanoseconds since 1970."""
_LONGEST_OVERLAP = 366 * 86_400.0
_LONGEST_TEXT = 100


@click.group()
def command() -> None:
    """Make, list, rotate and revoke keys.

    A key is what applications send as their API key. It is shown once, when it is made; the database holds a hash.
    A running gateway knows new and revoked keys within a second or so. Every change is kept in `headgate audit list`.

    \b
    Examples:
      headgate keys create shop --team web
      headgate keys create ann --user ann --role developer --expires 90d
      headgate keys create batch --feature classify --model summarise-small
      headgate keys list
      headgate keys rotate shop --overlap 24h
      headgate keys revoke shop
    """


@command.command()
@click.argument("name")
@config_option
@click.option(
    "--expires", metavar="WHEN", help="Such as 90d, 12w, 1y, or a date: 2027-01-31. Without it: never."
)
@click.option(
    "--role",
    "-r",
    "roles",
    multiple=True,
    metavar="ROLE",
    help="owner, operator, developer, reviewer, viewer or service; may be repeated. Without it: service.",
)
@click.option(
    "--feature",
    "-f",
    "features",
    multiple=True,
    metavar="NAME",
    help="A feature it may ask for and be counted for; may be repeated. Without --feature and --model: all.",
)
@click.option(
    "--model",
    "-m",
    "models",
    multiple=True,
    metavar="NAME",
    help="A feature or model it may ask for; may be repeated. Without it: all.",
)
@click.option("--team", default="", metavar="NAME", help="Whom its costs belong to.")
@click.option("--tenant", default="", metavar="NAME", help="The organisation the team belongs to.")
@click.option("--user", default="", metavar="NAME", help="Whose key it is, if it is a person's.")
@click.option("--note", default="", metavar="TEXT", help="Your words on it, for the list.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def create(
    name: str,
    config: Path | None,
    expires: str | None,
    roles: tuple[str, ...],
    features: tuple[str, ...],
    models: tuple[str, ...],
    team: str,
    tenant: str,
    user: str,
    note: str,
    *,
    as_json: bool,
) -> None:
    """Make a key and show it, once. NAME is your word for it, such as the application that will use it.

    Only the key goes to standard output: KEY=$(headgate keys create shop)
    """
    from headgate.control.keys import create_key
    from headgate.stores.keys import KeyRecord

    configuration = read_configuration(config)
    if not name.strip() or not name.isprintable() or len(name) > _LONGEST_TEXT:
        fail("a key's name is 1 to 100 printable characters", code=2)
    for option, text in (("--team", team), ("--tenant", tenant), ("--user", user), ("--note", note)):
        if text and (not text.isprintable() or len(text) > _LONGEST_TEXT * (5 if option == "--note" else 1)):
            fail(f"{option} is too long, or holds characters that cannot be printed", code=2)
    _check_roles(roles)
    _check_features(configuration, features)
    _warn_of_unknown(configuration, models)
    draft = KeyRecord(
        id="",
        name=name,
        hash="",
        created_ns=0,
        expires_ns=_expiry(expires) if expires else None,
        team=team,
        tenant=tenant,
        models=models,
        features=features,
        roles=tuple(dict.fromkeys(roles)) or ("service",),
        user=user,
        note=note,
    )
    record, key = _with_stores(configuration, lambda stores: create_key(stores.keys, draft, actor=actor()))
    if as_json:
        print_json({**_told(record), "key": key})
        return
    say(
        f"key `{name}` ({record.id}), {', '.join(record.roles)}, {_until(record)}, for {_scope(record)}. "
        "It is shown this once:"
    )
    click.echo(key)


@command.command(name="list")
@config_option
@click.option("--all", "everything", is_flag=True, help="Revoked and expired ones too.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(config: Path | None, *, everything: bool, as_json: bool) -> None:
    """List keys: who, since when, until when, for what, last used. The keys themselves are known to nobody."""
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
@click.option(
    "--overlap",
    default="24h",
    show_default=True,
    metavar="TIME",
    help="How long the old key stays valid beside the new one: 30m, 24h, 7d. 0s: it stops at once.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def rotate(name: str, config: Path | None, overlap: str, *, as_json: bool) -> None:
    """Make a new key in place of an old one, and show it, once. NAME is its name or its id.

    Both are the same caller: the same id, name, team, rights, limits and records. The old one, and any that is still
    left from a rotation before, stops being valid when the overlap is over.

    \b
    Example:
      KEY=$(headgate keys rotate shop --overlap 7d)
    """
    from headgate.control.keys import NoSuchKey, rotate_key
    from headgate.core.section import Duration

    configuration = read_configuration(config)
    try:
        seconds = float(Duration.parse(overlap))
    except ValueError as wrong:
        fail(f"--overlap: {wrong}", code=2)
    if seconds > _LONGEST_OVERLAP:
        fail(f'--overlap "{overlap}": at most a year', code=2)
    try:
        record, key = _with_stores(
            configuration,
            lambda stores: rotate_key(stores.keys, name, overlap_seconds=seconds, actor=actor()),
        )
    except NoSuchKey as missing:
        _no_such(missing)
    if as_json:
        print_json({**_told(record), "key": key})
        return
    until = f"is valid until {_day(record.old_hashes[-1].until_ns)}" if seconds else "is not valid any more"
    say(f"key `{record.name}` ({record.id}) is rotated; the old one {until}. The new one is shown this once:")
    click.echo(key)


@command.command()
@click.argument("name")
@config_option
def revoke(name: str, config: Path | None) -> None:
    """Make a key invalid, now and for good. NAME is its name or its id."""
    from headgate.control.keys import NoSuchKey, revoke_key

    configuration = read_configuration(config)
    try:
        record = _with_stores(configuration, lambda stores: revoke_key(stores.keys, name, actor=actor()))
    except NoSuchKey as missing:
        _no_such(missing)
    say(f"key `{record.name}` ({record.id}) is revoked; running gateways refuse it within a second or so")


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


def _warn_of_unknown(configuration: Configuration, models: Sequence[str]) -> None:
    settings = configuration.settings
    for model in models:
        known = model in settings.features or model in settings.models
        if not known and model.partition("/")[0] not in settings.providers:
            say(click.style("note: ", fg="yellow") + f"no feature or model `{model}` is configured now")


def _no_such(missing: NoSuchKey) -> NoReturn:
    from headgate.config.problems import did_you_mean

    fail(f"{missing}{did_you_mean(missing.name, missing.names)}")


def _check_roles(roles: Sequence[str]) -> None:
    from headgate.admission.rights import ROLES
    from headgate.config.problems import did_you_mean

    for role in roles:
        if role not in ROLES:
            fail(f"no role `{role}`{did_you_mean(role, ROLES)}", code=2)


def _check_features(configuration: Configuration, features: Sequence[str]) -> None:
    from headgate.config.problems import did_you_mean

    known = configuration.settings.features
    for feature in features:
        if feature not in known:
            near = did_you_mean(feature, known)
            say(click.style("note: ", fg="yellow") + f"no feature `{feature}` is configured now{near}")


def _expiry(text: str) -> int:
    """Nanoseconds since 1970 at which a key made now expires."""
    found = _DAYS.fullmatch(text)
    if found:
        expires_ns = time.time_ns() + int(found[1]) * _IN_DAYS[found[2][0].lower()] * _NS_A_DAY
        return expires_ns if expires_ns <= _LAST_NS else _too_late(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f'--expires "{text}" is neither like 90d, 12w, 6m or 1y nor a date like 2027-01-31', code=2)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    expires_ns = int(moment.timestamp()) * 1_000_000_000
    if expires_ns <= time.time_ns():
        fail(f'--expires "{text}" is over already', code=2)
    return expires_ns if expires_ns <= _LAST_NS else _too_late(text)


def _too_late(text: str) -> NoReturn:
    fail(f'--expires "{text}" is beyond the year 2259; leave it out for a key that does not expire', code=2)


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


def _scope(record: KeyRecord) -> str:
    return ", ".join(dict.fromkeys((*record.features, *record.models))) or "everything"


def _told(record: KeyRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "name": record.name,
        "state": _state(record),
        "created": _day(record.created_ns),
        "expires": _day(record.expires_ns) or None,
        "revoked": _day(record.revoked_ns) or None,
        "last_used": _day(record.last_used_ns) or None,
        "old_keys_until": [_day(old.until_ns) for old in record.old_hashes if old.until_ns > time.time_ns()],
        "roles": list(record.roles),
        "team": record.team,
        "tenant": record.tenant,
        "user": record.user,
        "features": list(record.features),
        "models": list(record.models),
        "note": record.note,
    }


def _print_table(records: Sequence[KeyRecord]) -> None:
    from rich.console import Console
    from rich.table import Table

    rows = [_row(record) for record in records]
    # On a narrow terminal what nobody has filled in would take the place of what somebody has.
    shown = [title for title in rows[0] if title in _ALWAYS or any(row[title] for row in rows)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in shown:
        table.add_column(title, no_wrap=title in ("name", "id", "state", "expires", "last used"))
    for row in rows:
        table.add_row(*(row[title] for title in shown))
    console = Console()
    # Into a pipe: a line a key, whatever the width of no terminal is.
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)


_PIPE_WIDTH = 400
_ALWAYS = ("name", "id", "state", "roles", "for", "expires")


def _row(record: KeyRecord) -> dict[str, str]:
    return {
        "name": record.name,
        "id": record.id,
        "state": _state(record),
        "roles": ", ".join(record.roles),
        "for": _scope(record),
        "expires": _day(record.expires_ns)[:10] or "never",
        "last used": _day(record.last_used_ns).removesuffix(" UTC"),
        "whose": " / ".join(filter(None, (record.tenant, record.team, record.user))),
        "note": record.note,
    }
