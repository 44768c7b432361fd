"""`headgate version`."""

from __future__ import annotations

import platform

import click

from headgate import __version__, is_compiled
from headgate.cli.output import print_json

__all__ = ["command"]


@click.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def command(*, as_json: bool) -> None:
    """Tell the version of Headgate, in which form it runs (compiled or plain Python), and on what."""
    told = {
        "headgate": __version__,
        "form": "compiled" if is_compiled() else "plain Python",
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if as_json:
        print_json(told)
    else:
        click.echo("\n".join(f"{name} {version}" for name, version in told.items()))
