"""`headgate chaos`: order faults, list them, end them. Works on the database; running gateways follow within a second."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.compose import Stores
    from headgate.config.model import Configuration, Settings
    from headgate.stores.audit import AuditEntry
    from headgate.stores.rehearsals import RehearsalRecord

__all__ = ["command"]

T = TypeVar("T")

LONGEST_SECONDS = 86_400.0
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
    from headgate.providers.rehearsal.faults import FAULTS, parse_fault
    from headgate.stores.rehearsals import RehearsalRecord

    configuration = read_configuration(config)
    try:
        wanted = parse_fault(fault)
    except ValueError as wrong:
        fail(f"{wrong}; `headgate chaos faults` lists them", code=2)
    seconds = _seconds(duration)
    targets = _targets(configuration.settings, endpoint)
    _check_feature(configuration.settings, feature)
    now = time.time_ns()
    record = RehearsalRecord(
        endpoint=endpoint,
        targets=targets,
        fault=wanted.text,
        share=share,
        feature=feature,
        started_ns=now,
        until_ns=now + int(seconds * 1e9),
    )
    entry = _entry("rehearsal.start", now, after=record)
    kept = _with_stores(configuration, lambda stores: stores.rehearsals.add(record, entry))
    if as_json:
        print_json(_told(kept))
    else:
        click.echo(str(kept.id))
    warning = click.style("WARNING: calls fail on purpose now.", fg="yellow", bold=True)
    say(
        f"{warning} {FAULTS[wanted.name].meaning}\n"
        f"  rehearsal {kept.id}: {kept.fault} on {', '.join(targets) if endpoint != '*' else 'every endpoint'}, "
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
    if (rehearsal is None) is not everything:
        fail("say which: `headgate chaos stop ID`, or `headgate chaos stop --all`", code=2)
    configuration = read_configuration(config)

    async def end(stores: Stores) -> Sequence[int]:
        now = time.time_ns()
        running = {record.id: record for record in await stores.rehearsals.active(now)}
        if rehearsal is not None and rehearsal not in running:
            there = f"; running are {', '.join(map(str, running))}" if running else "; none is running"
            fail(f"no rehearsal {rehearsal} is running{there}")
        return [
            number
            for number in (running if rehearsal is None else [rehearsal])
            if await stores.rehearsals.stop(
                number, now, _entry("rehearsal.stop", now, before=running[number])
            )
        ]

    ended = _with_stores(configuration, end)
    told = ", ".join(f"rehearsal {number}" for number in ended)
    say(f"ended: {told}; {_SOON}" if ended else "no rehearsal is running")


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
    from headgate.compose import open_stores

    async def run() -> T:
        stores = open_stores(configuration.settings)
        try:
            return await work(stores)
        finally:
            await stores.aclose()

    with plain_failures():
        return asyncio.run(run())


def _entry(
    action: str, at_ns: int, *, before: RehearsalRecord | None = None, after: RehearsalRecord | None = None
) -> AuditEntry:
    from headgate.stores.audit import AuditEntry

    was, now = ({} if one is None else _ordered(one) for one in (before, after))
    if before is not None:
        now = {**was, "stopped": datetime.fromtimestamp(at_ns // 1_000_000_000, tz=UTC).isoformat(sep=" ")}
    return AuditEntry(
        at_ns=at_ns,
        actor=actor(),
        action=action,
        subject=str(before.id) if before is not None else "",
        before=json.dumps(was) if was else "",
        after=json.dumps(now),
    )


def _ordered(record: RehearsalRecord) -> dict[str, object]:
    return {
        "fault": record.fault,
        "endpoint": record.endpoint,
        "targets": list(record.targets),
        "share": record.share,
        "feature": record.feature,
        "until": datetime.fromtimestamp(record.until_ns // 1_000_000_000, tz=UTC).isoformat(sep=" "),
    }


def _seconds(text: str) -> float:
    from headgate.core.section import Duration

    try:
        seconds = float(Duration.parse(text))
    except ValueError as wrong:
        fail(f"--for: {wrong}", code=2)
    if not 0 < seconds <= LONGEST_SECONDS:
        fail(f'--for "{text}": a rehearsal lasts more than 0 and at most 24 hours', code=2)
    return seconds


def _targets(settings: Settings, endpoint: str) -> tuple[str, ...]:
    """The endpoint as providers and `provider/model`s. Ends the command if there is none of that name."""
    from headgate.config.problems import did_you_mean

    if endpoint == "*" or endpoint in settings.providers:
        return (endpoint,)
    if endpoint in settings.models:
        found = (f"{each.provider}/{each.model}" for each in settings.models[endpoint].endpoints)
        return tuple(dict.fromkeys(found))
    places = [
        f"{each.provider}/{each.model}" for model in settings.models.values() for each in model.endpoints
    ]
    provider, _, model = endpoint.partition("/")
    if provider not in settings.providers or not model:
        if endpoint in settings.features:
            fail(f"`{endpoint}` is a feature: `headgate chaos start '*' FAULT --feature {endpoint}`", code=2)
        known = [*settings.providers, *settings.models, *places]
        fail(f"no provider, model or endpoint `{endpoint}`{did_you_mean(endpoint, known)}", code=2)
    if places and endpoint not in places:
        # A caller may ask for any model of a provider by its full name, so it is not refused.
        hint = did_you_mean(endpoint, places)
        say(click.style("note: ", fg="yellow") + f"no model is configured at `{endpoint}`{hint}")
    return (endpoint,)


def _check_feature(settings: Settings, feature: str) -> None:
    from headgate.config.problems import did_you_mean

    if feature and feature not in settings.features:
        fail(f"no feature `{feature}`{did_you_mean(feature, settings.features)}", code=2)


def _state(record: RehearsalRecord) -> str:
    if record.stopped_ns is not None:
        return "stopped"
    return "over" if record.until_ns <= time.time_ns() else "running"


def _share_text(record: RehearsalRecord) -> str:
    calls = "all calls" if record.share == 1 else f"{100 * record.share:g} % of calls"
    return f"{calls} of {record.feature}" if record.feature else calls


def _moment(ns: int | None) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9).astimezone():%Y-%m-%d %H:%M:%S %Z}" if ns is not None else ""


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
            str(record.id), _state(record), record.fault, record.endpoint, _share_text(record), until
        )
    Console().print(table)
