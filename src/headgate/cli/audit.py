"""`headgate audit`: who changed what, and when."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.stores.audit import AuditEntry

__all__ = ["command"]

_TOLD_ALREADY = frozenset({"id", "created"})
"""By the line's beginning."""


@click.group()
def command() -> None:
    """Look at the audit log: every change of keys and every ordered outage, who made it, how it was before and after.

    The log is only ever added to; it holds no key and no hash of one.

    \b
    Example:
      headgate audit list --since 7d
    """


@command.command(name="list")
@config_option
@click.option(
    "--since",
    default="30d",
    show_default=True,
    metavar="WHEN",
    help="How far back: 2h, 7d, or a date: 2027-01-31.",
)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=200, show_default=True, help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(config: Path | None, since: str, limit: int, *, as_json: bool) -> None:
    """List changes, the latest last.

    \\b
    Examples:
      headgate audit list --since 7d
      headgate audit list --json | jq '.[] | select(.action == "key.revoke")'
    """
    from_ns = _moment(since)
    entries = _read(read_configuration(config), from_ns, limit)
    if as_json:
        print_json([_told(entry) for entry in entries])
        return
    if not entries:
        say(f"nothing was changed since {_text(from_ns)}")
    for entry in entries:
        told = "; ".join(_changes(entry))
        click.echo(
            f"{_text(entry.at_ns)}  {_plain(entry.actor):<16} {entry.action:<16} {_plain(entry.subject)}  {told}"
        )


def _read(configuration: Configuration, from_ns: int, limit: int) -> Sequence[AuditEntry]:
    from headgate.compose.stores import open_stores

    async def run() -> Sequence[AuditEntry]:
        stores = open_stores(configuration.settings)
        try:
            return await stores.audit.since(from_ns, limit)
        finally:
            await stores.aclose()

    with plain_failures():
        return asyncio.run(run())


def _moment(text: str) -> int:
    from headgate.core.section import Duration

    try:
        return max(time.time_ns() - int(Duration.parse(text) * 1e9), 0)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        fail(f'--since "{text}" is neither like 2h or 7d nor a date like 2027-01-31', code=2)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return min(max(int(moment.timestamp()), 0) * 1_000_000_000, 2**63 - 1)


def _changes(entry: AuditEntry) -> Iterator[str]:
    """What differs between before and after, as words; of something new what is said of it."""
    before, after = _object(entry.before), _object(entry.after)
    for name in dict.fromkeys((*before, *after)):
        if name in _TOLD_ALREADY:
            continue
        old, new = before.get(name), after.get(name)
        if old != new and before and after:
            yield f"{name}: {_value(old)} -> {_value(new)}"
        elif old != new and (new or old):
            yield f"{name}: {_value(new if after else old)}"


def _told(entry: AuditEntry) -> dict[str, object]:
    return {
        "id": entry.id,
        "at": datetime.fromtimestamp(entry.at_ns / 1e9, tz=UTC).isoformat(),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "before": _object(entry.before) or None,
        "after": _object(entry.after) or None,
    }


def _object(text: str) -> dict[str, Any]:
    found = json.loads(text) if text else {}
    return found if isinstance(found, dict) else {}


def _value(value: object) -> str:
    if isinstance(value, list):
        value = ", ".join(map(str, value))
    return _plain(str(value)) if value not in (None, "") else "-"


def _plain(text: str) -> str:
    # Names come from people: nothing in them may move the cursor.
    return "".join(character if character.isprintable() else "?" for character in text)


def _text(ns: int) -> str:
    return f"{datetime.fromtimestamp(ns / 1e9, tz=UTC):%Y-%m-%d %H:%M:%S} UTC"
