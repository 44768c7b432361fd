"""`headgate alerts`: who is told, whether it arrives, and what was told. Running gateways know of a change within seconds."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, get_args

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.alerts.receivers import Receiver
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration
    from headgate.stores.alerts import ReceiverRecord

__all__ = ["command"]

T = TypeVar("T")

_PIPE_WIDTH = 400


@click.group()
def command() -> None:
    """Say who is told of budgets, unusual spending, rules and contracts; try it; see what was told.

    Receivers that are always there stand in the configuration, as [[alerts]]. Others are added here, for the user, team,
    key or feature they are about; running gateways know of them within seconds.

    \b
    Examples:
      headgate alerts add ann --email ann@example.com --of user:ann
      headgate alerts add shop --url https://shop.example.com/hooks/headgate --of feature:support-chat
      headgate alerts add team-web --slack --url https://hooks.slack.com/services/... --of team:web
      headgate alerts test shop
      headgate alerts log --since 7d
    """


@command.command()
@click.argument("name")
@config_option
@click.option(
    "--url", default="", metavar="URL", help="Where it is posted: signed JSON, or with --slack a message."
)
@click.option(
    "--slack", is_flag=True, help="The URL takes messages in the form of Slack's incoming webhooks."
)
@click.option("--email", default="", metavar="ADDRESS", help="Who gets it by mail.")
@click.option(
    "--via",
    default="",
    metavar="NAME",
    help="The [[alerts]] whose mail server is used. Without it: the first.",
)
@click.option(
    "--of",
    "subject",
    default="",
    metavar="SUBJECT",
    help="Of whom: feature:NAME, team:NAME, user:NAME or key:NAME. Without it: of all.",
)
@click.option(
    "--about",
    multiple=True,
    metavar="KIND",
    help="budget, spend_rate, rule or contract; may be repeated. Without it: all.",
)
@click.option(
    "--least", default="info", show_default=True, metavar="SEVERITY", help="info, warning or critical."
)
@click.option("--note", default="", metavar="TEXT", help="Your words on it, for the list.")
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def add(
    name: str,
    config: Path | None,
    url: str,
    email: str,
    via: str,
    subject: str,
    about: tuple[str, ...],
    least: str,
    note: str,
    *,
    slack: bool,
    as_json: bool,
) -> None:
    """Tell somebody from now on. NAME is your word for it.

    For a webhook the secret that its messages are signed with goes to standard output, this once:
    SECRET=$(headgate alerts add shop --url https://shop.example.com/hooks)

    The URL may lead to the public internet, over https; `server.reach` in the configuration allows more.
    """
    from headgate.alerts.receivers import configured, signing_secret
    from headgate.control.alerts import WrongReceiver, add_receiver, receiver_facts
    from headgate.providers.transport.reach import Reach
    from headgate.stores.alerts import ReceiverRecord, Severity

    if bool(url) == bool(email) or (slack and not url) or (via and not email):
        fail("say where: --url URL, --url URL --slack, or --email ADDRESS [--via NAME]", code=2)
    configuration = read_configuration(config)
    settings = configuration.settings
    if least not in get_args(Severity):
        fail(f"--least {least}: there are {', '.join(get_args(Severity))}", code=2)
    draft = ReceiverRecord(
        name=name,
        created_ns=0,
        kind="email" if email else "slack" if slack else "webhook",
        address=email or url,
        about=tuple(dict.fromkeys(about)),
        least=least,  # type: ignore[arg-type]
        via=via,
        note=note,
    )
    _warn_of_unknown_feature(configuration, subject)

    async def work(stores: Stores) -> tuple[ReceiverRecord, str]:
        from msgspec.structs import replace

        wanted = replace(draft, subject=await _key_by_id(stores, subject))
        record = await add_receiver(
            stores.alerts, wanted, configured(settings.alerts), Reach(settings.server.reach), actor=actor()
        )
        return record, signing_secret(record, await stores.keys.secret())

    try:
        record, secret = _with_stores(configuration, work)
    except WrongReceiver as wrong:
        fail(str(wrong), code=2)
    facts = receiver_facts(record)
    if as_json:
        print_json({**facts, **({"secret": secret} if record.kind == "webhook" else {})})
        return
    told = f"`{record.name}` is told of {_wishes(facts)}; `headgate alerts test {record.name}` tries it"
    if record.kind != "webhook":
        say(told)
        return
    say(f"{told}. Its messages are signed with this secret, shown this once:")
    click.echo(secret)


@command.command(name="list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def list_(config: Path | None, *, as_json: bool) -> None:
    """List everybody who is told, those of the configuration first."""
    from headgate.alerts.receivers import configured

    configuration = read_configuration(config)

    async def read(stores: Stores) -> Sequence[ReceiverRecord]:
        return await stores.alerts.receivers()

    records = _with_stores(configuration, read)
    rows = [_configured_facts(each) for each in configured(configuration.settings.alerts)]
    rows += [{"from": "added", **_facts(each)} for each in records]
    if as_json:
        print_json(rows)
        return
    if not rows:
        say(
            "nobody is told; add [[alerts]] to the configuration, or use `headgate alerts add NAME --url URL`"
        )
        return
    _print_table(
        [
            {
                "name": str(row["name"]),
                "from": str(row["from"]),
                "kind": str(row["kind"]),
                "to": str(row["address"]),
                "is told of": _wishes(row),
                "note": str(row.get("note", "")),
            }
            for row in rows
        ]
    )


@command.command()
@click.argument("name")
@config_option
def remove(name: str, config: Path | None) -> None:
    """Tell it nothing any more, also not what waits for it. For receivers of the configuration, take them out there."""
    from headgate.control.alerts import NoSuchReceiver, remove_receiver

    configuration = read_configuration(config)
    if any(each.name == name for each in configuration.settings.alerts):
        fail(f"`{name}` stands in the configuration: take it out there")
    try:
        _with_stores(configuration, lambda stores: remove_receiver(stores.alerts, name, actor=actor()))
    except NoSuchReceiver as missing:
        from headgate.config.problems import did_you_mean

        fail(f"{missing}{did_you_mean(missing.name, missing.names)}")
    say(f"`{name}` is told nothing any more")


@command.command()
@click.argument("name")
@config_option
def test(name: str, config: Path | None) -> None:
    """Send a test to a receiver now, and say what came back. It is sent from here, once, and is not in the log."""
    from headgate.compose.alerts import UnknownReceiver, try_receiver
    from headgate.control.alerts import trial_alert
    from headgate.core.clock import SystemClock

    configuration = read_configuration(config)
    alert, began = trial_alert(name, actor()), time.monotonic()
    try:
        why_not = _with_stores(
            configuration,
            lambda stores: try_receiver(configuration.settings, stores, name, alert, SystemClock()),
        )
    except UnknownReceiver as unknown:
        fail(str(unknown))
    if why_not:
        fail(f"`{name}` did not take it: {why_not}")
    say(f"`{name}` took it, in {1000 * (time.monotonic() - began):.0f} ms")


@command.command()
@config_option
@click.option(
    "--since",
    default="30d",
    show_default=True,
    metavar="WHEN",
    help="How far back: 2h, 7d, or a date: 2027-01-31.",
)
@click.option(
    "--limit", type=click.IntRange(1, 100_000), default=100, show_default=True, help="How many at most."
)
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def log(config: Path | None, since: str, limit: int, *, as_json: bool) -> None:
    """List alerts, the latest last, with what became of each: delivered, waiting for the next try, or given up."""
    from headgate.cli.audit import _moment
    from headgate.control.alerts import told_facts

    from_ns = _moment(since)
    told = _with_stores(read_configuration(config), lambda stores: stores.alerts.since(from_ns, limit))
    facts = [told_facts(each) for each in told]
    if as_json:
        print_json(facts)
        return
    if not facts:
        say("nobody was told of anything since then")
    for each in facts:
        click.echo(f"{_when(each['at'])}  {each['severity']:<8}  {_plain(str(each['text']))}")
        deliveries: Any = each["deliveries"]
        for one in deliveries:
            click.echo(f"    {one['receiver']}: {_outcome(one)}")
        if not deliveries:
            click.echo("    nobody wanted to be told")


def _outcome(delivery: dict[str, Any]) -> str:
    tries = delivery["tries"]
    tried = f"after {tries} {'try' if tries == 1 else 'tries'}"
    why = f": {_plain(delivery['error'])}" if delivery["error"] else ""
    if delivery["state"] == "delivered":
        return f"delivered {_when(delivery['done'])}" + (f", {tried}" if tries > 1 else "")
    if delivery["state"] == "given up":
        return f"given up {tried}{why}"
    return f"waits, {tried}{why}; again at {_when(delivery['next'])}" if tries else "waits"


def _when(moment: object) -> str:
    return str(moment).replace("+00:00", " UTC")


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


async def _key_by_id(stores: Stores, subject: str) -> str:
    """Keys are told apart by id: a name that an operator gives is looked up."""
    kind, _, name = subject.partition(":")
    if kind != "key" or not name:
        return subject
    keys = [each for each in await stores.keys.all() if each.revoked_ns is None]
    found = next((each for each in keys if name in (each.name, each.id)), None)
    if found is None:
        from headgate.config.problems import did_you_mean

        fail(f"no valid key `{name}`{did_you_mean(name, [each.name for each in keys])}")
    return f"key:{found.id}"


def _warn_of_unknown_feature(configuration: Configuration, subject: str) -> None:
    from headgate.config.problems import did_you_mean

    kind, _, name = subject.partition(":")
    known = configuration.settings.features
    if kind == "feature" and name and name not in known:
        near = did_you_mean(name, known)
        say(click.style("note: ", fg="yellow") + f"no feature `{name}` is configured now{near}")


def _facts(record: ReceiverRecord) -> dict[str, object]:
    from headgate.control.alerts import receiver_facts

    return receiver_facts(record)


def _configured_facts(receiver: Receiver) -> dict[str, object]:
    from headgate.alerts.receivers import Hook
    from headgate.alerts.settings import KINDS
    from headgate.control.alerts import shown_url
    from headgate.stores.alerts import SEVERITIES

    address = receiver.address
    only = [f"{name}:{each}" for name, names in receiver.only.items() for each in sorted(names)]
    return {
        "from": "configuration",
        "name": receiver.name,
        "kind": receiver.kind,
        "address": shown_url(address.url) if isinstance(address, Hook) else ", ".join(address.to),
        "of": ", ".join(only) or "all",
        "about": sorted(receiver.about) or list(KINDS),
        "least": SEVERITIES[receiver.least],
    }


def _wishes(facts: dict[str, object]) -> str:
    from headgate.alerts.settings import KINDS

    about: Any = facts["about"]
    kinds = "everything" if set(about) == set(KINDS) else " and ".join(about)
    least = f", {facts['least']} at least" if facts["least"] != "info" else ""
    return f"{kinds} of {facts['of']}{least}"


def _print_table(rows: Sequence[dict[str, str]]) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    shown = [title for title in rows[0] if any(row[title] for row in rows)]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in shown:
        table.add_column(title, no_wrap=title in ("name", "from", "kind"))
    for row in rows:
        table.add_row(*(escape(row[title]) for title in shown))
    console = Console()
    # Into a pipe: a line a receiver, whatever the width of no terminal is.
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)


def _plain(text: str) -> str:
    # Names come from people: nothing in them may move the cursor.
    return "".join(character if character.isprintable() else "?" for character in text)
