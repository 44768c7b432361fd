"""`headgate budgets`: how far each is spent; deposits into prepaid ones."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.control.budgets import BudgetState

__all__ = ["command"]

_BAR = 20
_MOST_USD = Decimal(10) ** 9
_PIPE_WIDTH = 400


@click.group(invoke_without_command=True)
@config_option
@click.option("--budget", "-b", "only", metavar="NAME", help="This one only.")
@click.option("--top", type=click.IntRange(1), default=10, show_default=True, help="So many sums of each.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: every sum.")
@click.pass_context
def command(
    context: click.Context, config: Path | None, only: str | None, top: int, *, as_json: bool
) -> None:
    """List budgets: whose, how much of it is spent, when it begins anew. Deposit into prepaid ones.

    What is spent is read from the database; calls under way are counted when they are over.

    \b
    Examples:
      headgate budgets
      headgate budgets --budget support-chat.per_user_day --top 50
      headgate budgets --json | jq '.[] | select(.part > 0.8)'
      headgate budgets deposit credits --usd 50 --for ann --note "invoice 17"
    """
    context.obj = config
    if context.invoked_subcommand is None:
        _list(read_configuration(config), only, top, as_json=as_json)


@command.command()
@click.argument("name")
@config_option
@click.option("--usd", "amount", required=True, metavar="AMOUNT", help="How much; negative: taken out again.")
@click.option(
    "--for",
    "subject",
    default="",
    metavar="WHOM",
    help="Whose sum: the key (name or id), user, team … that the budget counts by. Not for one sum of all together.",
)
@click.option("--note", default="", metavar="TEXT", help="Your words on it, for the ledger.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
@click.pass_context
def deposit(
    context: click.Context,
    name: str,
    config: Path | None,
    amount: str,
    subject: str,
    note: str,
    *,
    as_json: bool,
) -> None:
    """Put money into a prepaid budget. Running gateways know of it within a second or so.

    It is kept in the ledger (`headgate ledger`) and in `headgate audit list`.

    \b
    Examples:
      headgate budgets deposit credits --usd 50 --for ann
      headgate budgets deposit research --usd -12.50 --note "back to the department"
    """
    from headgate.compose.budgets import budgets_of
    from headgate.config.problems import did_you_mean
    from headgate.control.budgets import NoSuchBudget, NotPrepaid
    from headgate.control.budgets import deposit as put_in
    from headgate.core.clock import SystemClock

    configuration = read_configuration(config or context.obj)
    usd = _usd(amount)
    if (subject and not subject.isprintable()) or len(subject) > 256 or len(note) > 500:
        fail("--for or --note is too long, or holds characters that cannot be printed", code=2)
    plan = budgets_of(configuration.settings)

    async def run(stores: Stores) -> Any:
        rule = plan.by_name.get(name)
        whose = subject
        if rule is not None and rule.settings.of == "key" and subject:
            whose = await _key_id(stores, subject)
        return await put_in(
            stores.ledger, plan, name, usd, subject=whose, note=note, actor=actor(), clock=SystemClock()
        )

    try:
        entry = _with_stores(configuration, run)
    except NoSuchBudget as missing:
        near = did_you_mean(name, missing.names) if missing.names else "; none of `[[budgets]]` is prepaid"
        fail(f"{missing}{near}")
    except NotPrepaid as wrong:
        fail(str(wrong))
    if as_json:
        told = {"event": entry.event, "budget": name, "for": entry.subject, "usd": f"{usd:f}", "note": note}
        print_json(told)
        return
    whom = "" if entry.subject == "*" else f" of {entry.subject}"
    done = f"{usd:f} USD are in" if usd > 0 else f"{-usd:f} USD are taken out of"
    say(f"{done} budget `{name}`{whom}")


def _list(configuration: Configuration, only: str | None, top: int, *, as_json: bool) -> None:
    from headgate.compose.budgets import budgets_of
    from headgate.config.problems import did_you_mean
    from headgate.control.budgets import budget_states

    plan = budgets_of(configuration.settings)
    if only is not None and only not in plan.by_name:
        fail(f"no budget `{only}`{did_you_mean(only, plan.by_name)}", code=2)

    async def read(stores: Stores) -> tuple[dict[str, list[BudgetState]], dict[str, str]]:
        states = await budget_states(stores.ledger, plan, int(time.time()))
        return states, {record.id: record.name for record in await stores.keys.all()}

    states, names = _with_stores(configuration, read) if plan.rules else ({}, {})
    if only is not None:
        states = {only: states.get(only, [])}
    if as_json:
        print_json([_told(each, names) for found in states.values() for each in found])
        return
    if not plan.rules:
        say("no budgets; write [[budgets]], or `budget = { month = 500 }` at a feature")
        return
    alone = [f"`{rule.name}`" for rule in plan.rules if rule.alone and only in (None, rule.name)]
    _print(states, names, top)
    if alone:
        say(f"{', '.join(alone)}: for each request, so there is no sum to list")


def _print(states: Mapping[str, Sequence[BudgetState]], names: Mapping[str, str], top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from headgate.cli.table import plain

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("budget", "whose"):
        table.add_column(title, no_wrap=True)
    for title in ("spent", "of USD"):
        table.add_column(title, no_wrap=True, justify="right")
    for title in ("", "when spent", "begins anew"):
        table.add_column(title, no_wrap=True)
    left_out = []
    for name, found in states.items():
        for each in found[:top]:
            color = "red" if each.fraction >= 1 else "yellow" if each.fraction >= 0.8 else "green"
            table.add_row(
                Text(name),
                Text(plain(_whose(each, names), 40)),
                _amount(each.spent),
                _amount(each.amount),
                Text(_bar(each.fraction), style=color),
                each.rule.settings.when_spent,
                _until(each.ends),
            )
        if not found:
            table.add_row(Text(name), "nobody yet", "", "", "", "", "")
        if len(found) > top:
            left_out.append(f"{len(found) - top} more of `{name}`")
    if not table.rows:
        return
    console = Console()
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)
    if left_out:
        say(f"and {', '.join(left_out)}; --top shows more")


def _bar(fraction: float) -> str:
    full = min(int(fraction * _BAR), _BAR)
    # Rounded down: 100 % is said only when all of it is spent.
    return f"{'█' * full}{'░' * (_BAR - full)} {int(fraction * 100):3d} %"


def _whose(state: BudgetState, names: Mapping[str, str]) -> str:
    if state.rule.subject is None:
        return "all together"
    of = state.rule.settings.of
    if not state.subject:
        return f"without a {of.removeprefix('tag:')}"
    name = names.get(state.subject, "") if of == "key" else ""
    return f"{name} ({state.subject})" if name else state.subject


def _amount(nanos: int) -> str:
    from headgate.core.money import usd

    value = usd(nanos)
    return f"{value:,.2f}" if abs(value) >= 1 or not value else f"{value:.6f}"


def _until(ends: int) -> str:
    if not ends:
        return "never: prepaid"
    seconds = max(ends - int(time.time()), 0)
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3600)
    return f"in {days} d {hours:02}:{rest // 60:02}"


def _told(state: BudgetState, names: Mapping[str, str]) -> dict[str, object]:
    from headgate.core.money import usd

    settings = state.rule.settings
    return {
        "budget": state.rule.name,
        "of": settings.of if settings.each else None,
        "subject": state.subject,
        "key_name": names.get(state.subject) if settings.of == "key" else None,
        "per": settings.per,
        "spent_usd": f"{usd(state.spent):f}",
        "amount_usd": f"{usd(state.amount):f}",
        "part": round(state.fraction, 6),
        "when_spent": settings.when_spent,
        "began": _moment(state.begins),
        "begins_anew": _moment(state.ends),
    }


def _moment(second: int) -> str | None:
    return datetime.fromtimestamp(second, UTC).isoformat() if second else None


def _usd(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        fail(f'--usd "{text}" is not an amount, such as 50 or 12.50', code=2)
    if not value.is_finite() or not value or abs(value) > _MOST_USD:
        fail(f'--usd "{text}": an amount other than 0, a billion at most', code=2)
    return value


async def _key_id(stores: Stores, name: str) -> str:
    """The id of a key by its name or its id; what is none is taken as it is, for keys of other databases."""
    for record in await stores.keys.all():
        if name in (record.name, record.id):
            return record.id
    say(click.style("note: ", fg="yellow") + f"no key `{name}` is known here")
    return name


def _with_stores(configuration: Configuration, work: Any) -> Any:
    from headgate.compose.stores import open_stores

    async def run() -> Any:
        stores = open_stores(configuration.settings)
        try:
            return await work(stores)
        finally:
            await stores.aclose()

    with plain_failures():
        return asyncio.run(run())
