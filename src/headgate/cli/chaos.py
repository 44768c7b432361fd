"""`headgate chaos`: order faults, list them, end them. Works on the database; running gateways follow within a second."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose.stores import Stores
    from headgate.config.model import Configuration, Settings
    from headgate.control.rehearsals import OrderRefused
    from headgate.stores.rehearsals import RehearsalRecord

__all__ = ["command"]

T = TypeVar("T")

_SOON = "running gateways follow within a second or so"


@click.group()
def command() -> None:
    """Rehearse an outage: let calls to real providers fail on purpose, for a time.

    Each order has a time limit and ends by itself. Every call that met it says so in its record. A running gateway
    follows within a second or so.

    \b
    Examples:
      headgate chaos start openai silence --share 0.2 --for 10m
      headgate chaos start openai/gpt-4o-mini cut:20 --feature support-chat
      headgate chaos start '*' error:503 --for 30s
      headgate chaos list
      headgate chaos stop --all
    """


@command.command()
@click.argument("endpoint")
@click.argument("fault")
@config_option
@click.option(
    "--share",
    type=click.FloatRange(0, 1, min_open=True),
    default=1.0,
    show_default=True,
    help="Of the calls there, how many meet it: 0.2 is one in five.",
)
@click.option(
    "--for",
    "duration",
    default="5m",
    show_default=True,
    metavar="TIME",
    help="When it ends by itself: 90s, 5m, 1h; at most 24h.",
)
@click.option("--feature", default="", metavar="NAME", help="Only calls of this feature.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def start(
    endpoint: str,
    fault: str,
    config: Path | None,
    share: float,
    duration: str,
    feature: str,
    *,
    as_json: bool,
) -> None:
    """Let calls fail from now on. ENDPOINT is a provider, `provider/model`, a model of `[models]`, or `*` for all;
    FAULT is one of `headgate chaos faults`.

    Real users meet it: they are answered by other models, or not at all. That is what is rehearsed.

    \b
    Examples:
      headgate chaos start openai silence --share 0.2
      headgate chaos start small rate_limit:5 --for 2m
    """
    from headgate.control.rehearsals import OrderRefused, order_rehearsal
    from headgate.providers.rehearsal.faults import FAULTS

    configuration = read_configuration(config)
    settings, seconds = configuration.settings, _seconds(duration)

    def order(stores: Stores) -> Awaitable[RehearsalRecord]:
        return order_rehearsal(
            stores.rehearsals,
            settings,
            endpoint=endpoint,
            fault=fault,
            share=share,
            seconds=seconds,
            feature=feature,
            actor=actor(),
        )

    try:
        kept = _with_stores(configuration, order)
    except OrderRefused as refused:
        _refused(refused, settings, endpoint, duration)
    _note_unconfigured(settings, endpoint)
    if as_json:
        print_json(_told(kept))
    else:
        click.echo(str(kept.id))
    warning = click.style("WARNING: calls fail on purpose now.", fg="yellow", bold=True)
    say(
        f"{warning} {FAULTS[kept.fault.partition(':')[0]].meaning}\n"
        f"  rehearsal {kept.id}: {kept.fault} on {', '.join(kept.targets) if endpoint != '*' else 'every endpoint'}, "
        f"{_share_text(kept)}, until {_moment(kept.until_ns)}\n"
        f"  {_SOON}; `headgate chaos stop {kept.id}` ends it before its time"
    )


@command.command(name="list")
@config_option
@click.option("--all", "everything", is_flag=True, help="Those that are over too.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(config: Path | None, *, everything: bool, as_json: bool) -> None:
    """List what is ordered: which fault, where, for how many calls, until when.

    \b
    Example:
      headgate chaos list --all --json | jq '.[].state'
    """
    configuration = read_configuration(config)
    records = [
        record
        for record in _with_stores(configuration, lambda stores: stores.rehearsals.all())
        if everything or _state(record) == "running"
    ]
    if as_json:
        print_json([_told(record) for record in records])
    elif not records:
        say("no rehearsal is running; `headgate chaos start ENDPOINT FAULT` begins one")
    else:
        _print_table(records)


@command.command()
@click.argument("rehearsal", type=int, required=False, metavar="[ID]")
@config_option
@click.option("--all", "everything", is_flag=True, help="Every one that is running.")
def stop(rehearsal: int | None, config: Path | None, *, everything: bool) -> None:
    """End a rehearsal before its time. ID is the number that `start` printed and `list` shows.

    \b
    Examples:
      headgate chaos stop 3
      headgate chaos stop --all
    """
    from headgate.control.rehearsals import NoSuchRehearsal, end_rehearsal

    if (rehearsal is None) is not everything:
        fail("say which: `headgate chaos stop ID`, or `headgate chaos stop --all`", code=2)
    configuration = read_configuration(config)

    async def end(stores: Stores) -> list[int]:
        if rehearsal is not None:
            return [(await end_rehearsal(stores.rehearsals, rehearsal, actor=actor())).id]
        ended = []
        for record in await stores.rehearsals.active(time.time_ns()):
            # One that has just ended by itself is as good as ended.
            with contextlib.suppress(NoSuchRehearsal):
                ended.append((await end_rehearsal(stores.rehearsals, record.id, actor=actor())).id)
        return ended

    try:
        numbers = _with_stores(configuration, end)
    except NoSuchRehearsal as missing:
        there = ", ".join(map(str, missing.running))
        fail(f"{missing}{f'; running are {there}' if there else '; none is running'}")
    told = ", ".join(f"rehearsal {number}" for number in numbers)
    say(f"ended: {told}; {_SOON}" if numbers else "no rehearsal is running")


@command.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def faults(*, as_json: bool) -> None:
    """List the faults there are, with what may follow the colon and what stands there by default.

    \b
    Example:
      headgate chaos faults
    """
    from headgate.providers.rehearsal.faults import FAULTS

    if as_json:
        print_json(
            [
                {
                    "name": kind.name,
                    "argument": kind.argument,
                    "default": kind.default,
                    "meaning": kind.meaning,
                }
                for kind in FAULTS.values()
            ]
        )
        return
    for kind in FAULTS.values():
        name = f"{kind.name}:{kind.default}" if kind.default else kind.name
        click.echo(f"{name:<22} {kind.meaning}{f'  (:{kind.argument})' if kind.argument else ''}")


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


def _seconds(text: str) -> float:
    from headgate.core.section import Duration

    try:
        return float(Duration.parse(text))
    except ValueError as wrong:
        fail(f"--for: {wrong}", code=2)


def _refused(refused: OrderRefused, settings: Settings, endpoint: str, duration: str) -> NoReturn:
    text = str(refused)
    if refused.param == "fault":
        text += "; `headgate chaos faults` lists them"
    elif refused.param == "seconds":
        text = f'--for "{duration}": {text}'
    elif refused.param == "endpoint" and endpoint in settings.features:
        text = f"`{endpoint}` is a feature: `headgate chaos start '*' FAULT --feature {endpoint}`"
    fail(text, code=2)


def _note_unconfigured(settings: Settings, endpoint: str) -> None:
    """A caller may ask for any model of a provider by its full name, so it is not refused; more likely it is a typing error."""
    from headgate.config.problems import did_you_mean

    places = [
        f"{each.provider}/{each.model}" for model in settings.models.values() for each in model.endpoints
    ]
    named = endpoint in ("*", *settings.providers, *settings.models)
    if places and not named and endpoint not in places:
        hint = did_you_mean(endpoint, places)
        say(click.style("note: ", fg="yellow") + f"no model is configured at `{endpoint}`{hint}")


def _share_text(record: RehearsalRecord) -> str:
    calls = "all calls" if record.share == 1 else f"{100 * record.share:g} % of calls"
    return f"{calls} of {record.feature}" if record.feature else calls


def _moment(ns: int | None) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9).astimezone():%Y-%m-%d %H:%M:%S %Z}" if ns is not None else ""


def _state(record: RehearsalRecord) -> str:
    from headgate.control.rehearsals import rehearsal_state

    return rehearsal_state(record, time.time_ns())


def _told(record: RehearsalRecord) -> dict[str, object]:
    return {
        "id": record.id,
        "state": _state(record),
        "endpoint": record.endpoint,
        "targets": list(record.targets),
        "fault": record.fault,
        "share": record.share,
        "feature": record.feature,
        "started": _moment(record.started_ns),
        "until": _moment(record.until_ns),
        "stopped": _moment(record.stopped_ns) or None,
    }


def _print_table(records: Sequence[RehearsalRecord]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("id", "state", "fault", "endpoint", "calls", "until"):
        table.add_column(title, no_wrap=title in ("id", "state", "fault"))
    for record in records:
        until = _moment(record.stopped_ns or record.until_ns)
        table.add_row(
            str(record.id),
            _state(record),
            record.fault,
            record.endpoint,
            _share_text(record),
            until,
        )
    Console().print(table)
