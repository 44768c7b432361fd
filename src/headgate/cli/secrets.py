"""`headgate secrets`: give, list, remove, rotate, new-key. Works on the database; a running gateway knows of it within a second."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.stores.sealing import Sealer
    from headgate.stores.secrets import SecretRecord

__all__ = ["command"]

T = TypeVar("T")


@click.group()
def command() -> None:
    """Keep providers' keys in the database, encrypted, each for the hosts it may be sent to.

    The configuration names them: api_key = "secret:openai". They are encrypted (AES-256-GCM) under the key in
    HEADGATE_SECRET_KEY, which the database never sees. A running gateway uses a new value within a second or so. Every
    change is kept in `headgate audit list`, without the value.

    \b
    Examples:
      export HEADGATE_SECRET_KEY="$(headgate secrets new-key)"
      headgate secrets set openai --host api.openai.com < openai.txt
      headgate secrets list
      headgate secrets rotate
    """


@command.command(name="new-key")
def new_key() -> None:
    """Print a new key for HEADGATE_SECRET_KEY: 32 random bytes in base64. It is kept nowhere.

    Keep it where the gateway's environment comes from, and a copy where the database's backups are not: without it
    what is in the database cannot be read by anybody.
    """
    from headgate.stores.sealing import new_master_key

    click.echo(new_master_key())


@command.command(name="set")
@click.argument("name")
@click.argument("more", nargs=-1, metavar="")
@config_option
@click.option(
    "--host",
    "hosts",
    multiple=True,
    required=True,
    metavar="HOST",
    help="The only host it is sent to, such as api.openai.com or 10.0.0.5:8000; may be repeated.",
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def set_(
    name: str, more: tuple[str, ...], config: Path | None, hosts: tuple[str, ...], *, as_json: bool
) -> None:
    """Keep a secret under NAME, in place of the one before. Its value is asked for, or read from standard input.

    The value is never an argument: those stand in the shell's history and in the list of processes. A port other than 443
    is written after the host; so is 80, for an address that begins with http://.

    \b
    Examples:
      headgate secrets set openai --host api.openai.com
      headgate secrets set house --host 10.0.0.5:8000 < house.txt
      vault read -field=key ... | headgate secrets set claude --host api.anthropic.com
    """
    from headgate.control.secrets import give_secret
    from headgate.stores.sealing import Sealer

    if more:
        fail(
            "the value is not an argument, and this one should be changed if it was: it stands in the shell's history. "
            f"Try: headgate secrets set {name} --host HOST < FILE",
            code=2,
        )
    configuration = read_configuration(config)
    with plain_failures():
        sealer = Sealer.from_environment(os.environ)
    value = _value(name)
    try:
        record, replaced = _with_stores(
            configuration,
            lambda stores: give_secret(stores.secrets, sealer, name, value, hosts, actor=actor()),
        )
    except ValueError as wrong:
        fail(str(wrong), code=2)
    if as_json:
        print_json(_told(record, configuration, sealer))
        return
    verb = "has another value" if replaced else "is kept"
    say(f"secret `{name}` {verb}, for {' and '.join(record.hosts)} alone")
    users = _users(configuration, name)
    if users:
        say(f"used by {', '.join(users)}; running gateways know it within a second or so")
    else:
        say(f'no provider uses it yet: write `api_key = "secret:{name}"` into its section')


@command.command(name="list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(config: Path | None, *, as_json: bool) -> None:
    """List secrets: for which hosts, since when, who uses them, and whether they can be opened here. Never the values."""
    from headgate.stores.sealing import NoMasterKey, Sealer

    configuration = read_configuration(config)

    async def read(stores: Stores) -> Sequence[SecretRecord]:
        return await stores.secrets.all()

    records = _with_stores(configuration, read)
    try:
        sealer: Sealer | None = Sealer.from_environment(os.environ)
    except NoMasterKey:
        sealer = None
    told = [_told(record, configuration, sealer) for record in records]
    if as_json:
        print_json(told)
        return
    if not told:
        say("no secrets; `headgate secrets set NAME --host HOST` keeps one")
        return
    _print_table(told)


@command.command()
@click.argument("name")
@config_option
@click.option("--force", is_flag=True, help="Also if a provider of the configuration uses it.")
def remove(name: str, config: Path | None, *, force: bool) -> None:
    """Delete a secret, for good. Running gateways stop using it within a second or so."""
    from headgate.config.problems import did_you_mean
    from headgate.control.secrets import NoSuchSecret, remove_secret

    configuration = read_configuration(config)
    users = _users(configuration, name)
    if users and not force:
        fail(
            f"secret `{name}` is used by {', '.join(users)}, which would call nobody any more; take it out there first, give it "
            f"another value with `headgate secrets set {name}`, or insist with --force"
        )
    try:
        _with_stores(configuration, lambda stores: remove_secret(stores.secrets, name, actor=actor()))
    except NoSuchSecret as missing:
        fail(f"{missing}{did_you_mean(missing.name, missing.names)}")
    say(f"secret `{name}` is removed")


@command.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def rotate(config: Path | None, *, as_json: bool) -> None:
    """Encrypt all secrets anew, under the key that is in HEADGATE_SECRET_KEY now.

    Either all are, or none. The values stay. The key before has to be in HEADGATE_SECRET_KEY_OLD, here and for every gateway,
    until this has run.

    \b
    Steps:
      1. HEADGATE_SECRET_KEY_OLD = the present key, HEADGATE_SECRET_KEY = headgate secrets new-key
      2. start every gateway again with both
      3. headgate secrets rotate
      4. take HEADGATE_SECRET_KEY_OLD away
    """
    from headgate.control.secrets import reseal_secrets
    from headgate.stores.sealing import Sealer

    configuration = read_configuration(config)
    with plain_failures():
        sealer = Sealer.from_environment(os.environ)
    records = _with_stores(
        configuration, lambda stores: reseal_secrets(stores.secrets, sealer, actor=actor())
    )
    if as_json:
        print_json([_told(record, configuration, sealer) for record in records])
        return
    count = f"{len(records)} {'secret' if len(records) == 1 else 'secrets'}"
    say(
        f"{count} encrypted anew, under the key {sealer.master}; HEADGATE_SECRET_KEY_OLD is not needed any more"
    )


def _value(name: str) -> str:
    if sys.stdin.isatty():
        asked: str = click.prompt(f"Value of {name}", hide_input=True, confirmation_prompt=True, err=True)
        return asked
    try:
        return sys.stdin.read().rstrip("\r\n")
    except UnicodeDecodeError:
        fail("what came on standard input is no text", code=2)


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


def _users(configuration: Configuration, name: str) -> list[str]:
    """The providers that are given it."""
    from headgate.config.secrets import stored_names

    return [
        provider
        for provider, settings in configuration.settings.providers.items()
        if name in stored_names(settings)
    ]


def _told(record: SecretRecord, configuration: Configuration, sealer: Sealer | None) -> dict[str, object]:
    from headgate.control.secrets import open_secret, secret_facts
    from headgate.stores.sealing import CannotOpen

    state = "opens here"
    if sealer is None:
        state = "not tried: no HEADGATE_SECRET_KEY here"
    elif not sealer.knows(record.sealed):
        state = "under a key that is not here"
    else:
        try:
            open_secret(sealer, record)
        except CannotOpen:
            state = "changed in the database: give it again"
    return {**secret_facts(record), "used_by": _users(configuration, record.name), "state": state}


def _print_table(told: Sequence[dict[str, object]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    titles = {"name": "name", "hosts": "for", "used_by": "used by", "changed": "changed", "state": "state"}
    for title in titles.values():
        table.add_column(title, no_wrap=title in ("name", "changed"))
    for each in told:
        table.add_row(*(_cell(name, each[name]) for name in titles))
    console = Console()
    # Into a pipe: a line a secret, whatever the width of no terminal is.
    (console if console.is_terminal else Console(width=400)).print(table)


def _cell(name: str, value: object) -> str:
    text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return text[:16] if name == "changed" else text
