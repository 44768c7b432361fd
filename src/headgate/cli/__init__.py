"""The command line: read arguments, call, print. A command's own module is imported when the command is used.

Exit codes: 0 it worked; 1 it did not; 2 the arguments or the configuration are wrong.
"""

from __future__ import annotations

import importlib
from typing import Any

import click

from headgate import __version__, is_compiled

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "serve": "Start the gateway.",
    "demo": "Start on simulated providers, send a minute of traffic, and look around.",
    "check": "Check the configuration and tell in plain words what it does.",
    "route": "Explain where a request would go, without calling anybody.",
    "config": "Show the configuration, an example, or a schema for editors.",
    "keys": "Make, list, rotate and revoke keys.",
    "people": "Add and change people who sign in to the dashboard.",
    "secrets": "Keep providers' keys in the database, encrypted.",
    "alerts": "Say who is told of alerts, try it, and see what was told.",
    "rules": "What is watched, how it stands; add, try out, pause and remove rules.",
    "contract": "What features promise, and what was kept of it.",
    "audit": "Who changed what, and when.",
    "tail": "Watch requests as they end.",
    "show": "Show one request whole.",
    "replay": "Send recorded requests again, as they were or changed, and compare.",
    "traces": "Look for requests by anything known of them, and write them out.",
    "errors": "What went wrong, and how many people it hit.",
    "forget": "Delete everything that is kept of one user.",
    "feedback": "Say what somebody thinks of an answer, and read what was said.",
    "cache": "What is answered from memory and what that saves; clear it, fill it, say what was wrong.",
    "quality": "How answers are judged, what is worst, and what changed.",
    "budgets": "List budgets and how far they are spent; deposit into prepaid ones.",
    "cost": "Tell what it will cost, has cost, and would have cost elsewhere.",
    "ledger": "List every movement of money, and prove that they add up.",
    "chaos": "Rehearse an outage: faults on command, for a time.",
    "move": "Copy an installation from SQLite to PostgreSQL.",
    "simulate": "Serve the simulated provider as an upstream, to rehearse with.",
    "version": "Tell the version.",
}
"""Command -> what it does. Each has a module of its name beside this one (`keys`: `keys.py`) with a `command`."""

_EPILOG = """\b
First steps:
  headgate demo                     see it work: no key, no network
  headgate config example > headgate.toml
  headgate check                    what would happen, in plain words
  headgate serve                    start it

Exit codes: 0 it worked, 1 it did not, 2 arguments or configuration are wrong.
"""


class _Commands(click.Group):
    """Knows the commands without importing them: `--help` answers at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"headgate.cli.{cmd_name}").command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(COMMANDS)}"
            raise click.UsageError(f"no command `{args[0]}`{hint}", ctx) from None


@click.group(
    cls=_Commands,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    f"{__version__} (compiled)" if is_compiled() else __version__,
    "-V",
    "--version",
    prog_name="headgate",
    message="%(prog)s %(version)s",
)
def main(**_: Any) -> None:
    """Headgate: the gate between applications and language models.

    Point an ordinary OpenAI or Anthropic SDK at it, ask for a feature by name, and every request is keyed, routed,
    priced and recorded.
    """
