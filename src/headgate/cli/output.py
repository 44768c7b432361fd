"""How commands speak: plain words on the terminal, JSON for scripts, and an end without a traceback."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

if TYPE_CHECKING:
    from headgate.config.loader import Configuration

__all__ = [
    "config_option",
    "fail",
    "one_key",
    "plain_failures",
    "print_json",
    "read_configuration",
    "refuse",
    "say",
]

config_option = click.option(
    "--config",
    "-c",
    "config",
    type=click.Path(path_type=Path),
    envvar="HEADGATE_CONFIG",
    help="The configuration file. Without it: headgate.toml in this directory, else what the environment allows.",
)
"""The same on every command that needs a configuration."""


def say(text: str = "") -> None:
    """For people, on standard error: standard output is for what a command was asked for."""
    click.echo(text, err=True)


def fail(text: str, code: int = 1) -> NoReturn:
    """End with a message. code: 1 it did not work, 2 the arguments or the configuration are wrong."""
    say(click.style("error: ", fg="red", bold=True) + text)
    raise SystemExit(code)


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def one_key(text: str) -> str:
    """The part of a key that tells it from others without being of use."""
    return f"{text[:7]}..." if len(text) > 12 else "..."


def read_configuration(path: Path | None) -> Configuration:
    """The configuration a command is to use. Ends the command with code 2 if it cannot be used."""
    from headgate.config.loader import choose
    from headgate.config.problems import ConfigurationRefused

    try:
        return choose(path)
    except ConfigurationRefused as refused:
        refuse(refused)


def refuse(refused: Any) -> NoReturn:
    """End with everything that is wrong with a configuration."""
    count = len(refused.problems)
    say(
        click.style(
            f"{count} {'problem' if count == 1 else 'problems'} in the configuration:", fg="red", bold=True
        )
    )
    for line in refused.lines():
        say(f"  {line}")
    raise SystemExit(2)


@contextmanager
def plain_failures() -> Iterator[None]:
    """What can go wrong on a sound installation, said in words instead of a traceback."""
    from headgate.stores.errors import StoreError

    try:
        yield
    except StoreError as failure:
        fail(str(failure))
    except OSError as failure:
        where = f": {failure.filename}" if failure.filename else ""
        fail(f"{failure.strerror or failure}{where}")
