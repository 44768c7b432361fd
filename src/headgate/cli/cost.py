"""`headgate cost`: what it will cost, has cost, would have cost. Each question has a module of its own beside this one."""

from __future__ import annotations

import click

from headgate.cli.cost_plan import plan_command
from headgate.cli.cost_reconcile import reconcile_command
from headgate.cli.cost_report import report_command
from headgate.cli.cost_tokens import tokens_command
from headgate.cli.cost_whatif import whatif_command

__all__ = ["command"]


@click.group()
def command() -> None:
    """Tell what it will cost, what it has cost, what it would have cost elsewhere, and whether the bill is right. Calls nobody.

    \b
    Examples:
      headgate cost plan --conversations 10000 --messages 10 --tokens 500 --model gpt-4o-mini
      headgate cost report --by feature,model --since 7d
      headgate cost whatif --model small --feature support-chat
      headgate cost tokens
      headgate cost reconcile usage.json
    """


command.add_command(plan_command)
command.add_command(report_command)
command.add_command(whatif_command)
command.add_command(tokens_command)
command.add_command(reconcile_command)
