"""`headgate people`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TextIO, TypeVar

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.control.people import NoSuchPerson
    from headgate.stores.people import Person

__all__ = ["command"]

T = TypeVar("T")

_LONGEST_TEXT = 100


@click.group()
def command() -> None:
    """Add and change people who sign in to the dashboard.

    People sign in with e-mail and password, or at your identity provider (`[dashboard.oidc]`). What they may is said by
    roles: owner, operator, developer, reviewer, viewer. Applications have keys instead: `headgate keys`.

    \b
    Examples:
      headgate people add ann@example.com --role owner
      headgate people list
      headgate people roles bo@example.com developer reviewer
      headgate people disable bo@example.com
    """


@command.command()
@click.argument("email")
@config_option
@click.option(
    "--role",
    "roles",
    multiple=True,
    default=("viewer",),
    show_default=True,
    metavar="ROLE",
    help="What they may; repeat for several.",
)
@click.option("--name", default="", metavar="TEXT", help="As they are called.")
@click.option("--team", default="", metavar="TEXT", help="Whom they belong to.")
@click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    help="A file with the password on its first line, - for standard input. Without it you are asked.",
)
@click.option("--no-password", is_flag=True, help="They sign in at your identity provider only.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def add(
    email: str,
    config: Path | None,
    roles: tuple[str, ...],
    name: str,
    team: str,
    password_file: TextIO | None,
    *,
    no_password: bool,
    as_json: bool,
) -> None:
    """Add somebody who may sign in. EMAIL is what they sign in with.

    \b
    Examples:
      headgate people add ann@example.com --role owner
      pwgen 20 1 | headgate people add bo@example.com --role developer --password-file -
    """
    from headgate.control.passwords import Passwords
    from headgate.control.people import add_person, email_of
    from headgate.stores.errors import PersonExists
    from headgate.stores.people import Person

    configuration = read_configuration(config)
    _check_roles(roles)
    for option, text in (("--name", name), ("--team", team)):
        if text and (not text.isprintable() or len(text) > _LONGEST_TEXT):
            fail(f"{option} is too long, or holds characters that cannot be printed", code=2)
    try:
        email_of(email)
    except ValueError as wrong:
        fail(f"{email}: {wrong}", code=2)
    password = "" if no_password else _password(password_file)
    draft = Person(id="", email=email, name=name, roles=roles, team=team, created_ns=0)

    async def work(stores: Stores) -> Person:
        return await add_person(stores.people, draft, password=password, passwords=Passwords(), actor=actor())

    try:
        person = _with_stores(configuration, work)
    except (PersonExists, ValueError) as wrong:
        fail(str(wrong))
    if as_json:
        print_json(_told(person))
        return
    say(f"{person.email} ({person.id}) may sign in to the dashboard as {', '.join(person.roles)}")


@command.command(name="list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(config: Path | None, *, as_json: bool) -> None:
    """List everybody: who, what they may, how they sign in, and when they did last."""

    async def read(stores: Stores) -> Sequence[Person]:
        return await stores.people.all()

    people = _with_stores(read_configuration(config), read)
    if as_json:
        print_json([_told(person) for person in people])
        return
    if not people:
        say("nobody yet; `headgate people add EMAIL --role owner` adds the first one")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("e-mail", "roles", "name", "signs in", "last", "id"):
        table.add_column(title, no_wrap=title in ("e-mail", "id"))
    for person in people:
        told = _told(person)
        table.add_row(
            *(str(told[name] or "") for name in ("email", "roles", "name", "signs_in", "last", "id"))
        )
    console = Console()
    (console if console.is_terminal else Console(width=400)).print(table)


@command.command()
@click.argument("email")
@config_option
@click.option(
    "--password-file",
    type=click.File("r", encoding="utf-8"),
    help="A file with the password on its first line, - for standard input. Without it you are asked.",
)
def passwd(email: str, config: Path | None, password_file: TextIO | None) -> None:
    """Give somebody another password; they are signed out everywhere."""
    from headgate.control.passwords import Passwords
    from headgate.control.people import set_password

    configuration, password = read_configuration(config), _password(password_file)

    async def work(stores: Stores) -> Person:
        return await set_password(stores.people, email, password, passwords=Passwords(), actor=actor())

    person = _changed(configuration, work)
    say(f"{person.email} has another password, and is signed out everywhere")


@command.command()
@click.argument("email")
@config_option
@click.option("--undo", is_flag=True, help="Let them in again.")
def disable(email: str, config: Path | None, *, undo: bool) -> None:
    """Let somebody in no more, and sign them out everywhere at once. With --undo: let them in again."""
    from headgate.control.people import change_person

    async def work(stores: Stores) -> Person:
        return await change_person(stores.people, email, disabled=not undo, actor=actor())

    person = _changed(read_configuration(config), work)
    say(f"{person.email} {'may sign in again' if undo else 'may not sign in any more, and is signed out'}")


@command.command()
@click.argument("email")
@click.argument("wanted", nargs=-1, required=True, metavar="ROLE...")
@config_option
def roles(email: str, wanted: tuple[str, ...], config: Path | None) -> None:
    """Give somebody these roles instead of those they have; it holds at once."""
    from headgate.control.people import change_person

    _check_roles(wanted)

    async def work(stores: Stores) -> Person:
        return await change_person(stores.people, email, roles=wanted, actor=actor())

    person = _changed(read_configuration(config), work)
    say(f"{person.email} is {', '.join(person.roles)} now")


def _password(file: TextIO | None) -> str:
    from headgate.control.passwords import LEAST

    if file is not None:
        password = str(file.readline()).rstrip("\r\n")
    else:
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    if len(password) < LEAST:
        fail(f"a password has at least {LEAST} characters", code=2)
    return password


def _check_roles(wanted: Sequence[str]) -> None:
    from headgate.admission.rights import ROLES
    from headgate.config.problems import did_you_mean

    for role in wanted:
        if role not in ROLES:
            fail(f"no role `{role}`{did_you_mean(role, ROLES)}", code=2)


def _changed(configuration: Configuration, work: Callable[[Stores], Awaitable[Person]]) -> Person:
    from headgate.control.people import NoSuchPerson

    try:
        return _with_stores(configuration, work)
    except NoSuchPerson as missing:
        _nobody(missing)
    except ValueError as wrong:
        fail(str(wrong))


def _nobody(missing: NoSuchPerson) -> NoReturn:
    from headgate.config.problems import did_you_mean

    fail(f"{missing}{did_you_mean(missing.name, missing.names)}")


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


def _told(person: Person) -> dict[str, object]:
    from datetime import UTC, datetime

    def day(ns: int | None) -> str | None:
        return datetime.fromtimestamp(ns / 1e9, tz=UTC).strftime("%Y-%m-%d %H:%M UTC") if ns else None

    how = f"at {person.issuer}" if person.issuer else "by password" if person.password else "not yet"
    return {
        "id": person.id,
        "email": person.email,
        "name": person.name,
        "roles": ", ".join(person.roles),
        "team": person.team,
        "signs_in": "disabled" if person.disabled_ns is not None else how,
        "created": day(person.created_ns),
        "last": day(person.seen_ns),
    }
