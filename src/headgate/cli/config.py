"""`headgate config`: schema, show, example."""

from __future__ import annotations

from pathlib import Path

import click

from headgate.cli.output import config_option, print_json, read_configuration

__all__ = ["command"]


@click.group()
def command() -> None:
    """Show the configuration, an example, or a schema for editors.

    \b
    Examples:
      headgate config example > headgate.toml
      headgate config schema > headgate.schema.json
      headgate config show --json
    """


@command.command()
def schema() -> None:
    """Print the JSON Schema of the configuration file, for editors.

    With the Even Better TOML extension, or taplo, put this into the first line of headgate.toml:

    \b
      #:schema ./headgate.schema.json
    """
    from headgate.config.schema import json_schema

    print_json(json_schema())


@command.command()
def example() -> None:
    """Print a commented configuration to start from."""
    from headgate.config.example import EXAMPLE

    click.echo(EXAMPLE, nl=False)


@command.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts: hash, file and settings as one object.")
def show(config: Path | None, *, as_json: bool) -> None:
    """Print the configuration as it is understood: defaults filled in, variables replaced, secrets hidden."""
    from headgate.config.fingerprint import redacted
    from headgate.config.toml_text import toml_text

    configuration = read_configuration(config)
    settings = redacted(configuration)
    source = str(configuration.path) if configuration.path else None
    if as_json:
        print_json(
            {
                "hash": configuration.hash,
                "file": source,
                "notes": list(configuration.notes),
                "settings": settings,
            }
        )
        return
    click.echo(f"# {source or 'no file: made from the environment'}; hash {configuration.hash}")
    for note in configuration.notes:
        click.echo(f"# {note}")
    click.echo()
    click.echo(toml_text(settings), nl=False)
