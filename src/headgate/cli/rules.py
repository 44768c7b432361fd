"""`headgate rules`: what is watched, how it stands, what a rule would have done; added, paused, removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headgate.cli.actor import actor
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.alerts.rules.preview import Foreseen, Series
    from headgate.alerts.rules.settings import AlertRuleSettings
    from headgate.compose.stores import Stores
    from headgate.config.loader import Configuration

__all__ = ["command"]

T = TypeVar("T")

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 60
_PIPE_WIDTH = 400
_MOST_FIRED = 20
_COLORS = {"ok": "green", "warning": "yellow", "alert": "red", "no data": "yellow", "paused": "bright_black"}


@click.group()
def command() -> None:
    """Rules of alerts: a number that is watched all the time, and when somebody is told of it.

    Some come with Headgate; others stand in the configuration as [[watch.rules]], or are added here. Who is told:
    `headgate alerts list`. Running gateways know of a change within seconds.

    \b
    Examples:
      headgate rules list
      headgate rules preview --metric latency_p95 --alert 8s --each feature --days 14
      headgate rules add shop-slow --metric latency_p95 --alert 8s --warning 5s --feature support-chat
      headgate rules add no-orders --metric requests --feature orders --alert 1 --window 15m
      headgate rules pause slower
    """


def _rule_options(function: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(
        (
            click.option("--metric", required=True, metavar="METRIC", help="What is watched: `headgate rules metrics`."),
            click.option("--alert", required=True, metavar="VALUE", help='Beyond it: 0.05, "5 %", 8s, "2.50 USD".'),
            click.option("--warning", metavar="VALUE", help="Beyond it, it is a warning."),
            click.option("--feature", default="", metavar="NAME", help="Requests of this feature only."),
            click.option("--model", default="", metavar="NAME", help="Requests routed to this model only."),
            click.option("--provider", default="", metavar="NAME", help="Requests of this provider only."),
            click.option("--each", default="", metavar="PART", help="For each feature, model or provider by itself."),
            click.option("--window", default="5m", show_default=True, metavar="TIME", help="What is added up: 1m to 30d."),
            click.option("--against", metavar="TIME", help="Compare with so long a time before; thresholds are times as much."),
            click.option("--compare", default="", metavar="WAY", help="above or below. Without it: as is usual."),
            click.option("--looks", type=click.IntRange(1, 1000), default=2, show_default=True, help="So many must find it."),
            click.option("--least", type=click.IntRange(0), default=20, show_default=True, help="Of fewer requests: no data."),
            click.option("--no-data", default="keep", show_default=True, metavar="WHAT", help="keep, ok or alert."),
            click.option("--severity", default="critical", show_default=True, metavar="HOW", help="info, warning, critical."),
            click.option("--error", default="", metavar="ERROR", help="For error_class_rate."),
            click.option("--score", default="", metavar="NAME", help="For quality."),
            click.option("--series", default="", metavar="NAME", help="For drift: refusals, length, latency, first_token, cost, score:NAME."),
        )
    ):  # fmt: skip
        function = option(function)
    return function


@command.command(name="list")
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts: everything that each rule watches.")
def list_(config: Path | None, *, as_json: bool) -> None:
    """List rules and how they stand, what stands worst first in each."""
    from headgate.control.rules import rule_facts, rule_views

    configuration = read_configuration(config)
    watch = configuration.settings.watch
    views = _with_stores(configuration, lambda stores: rule_views(stores.rules, watch))
    facts = [rule_facts(view) for view in views]
    if as_json:
        print_json(facts)
        return
    if not facts:
        say("nothing is watched; `headgate rules add` or [[watch.rules]] in the configuration change that")
        return
    _print_rules(facts)


@command.command()
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def metrics(*, as_json: bool) -> None:
    """List everything that a rule may watch."""
    from headgate.control.rules import metric_facts

    facts = metric_facts()
    if as_json:
        print_json(facts)
        return
    for each in facts:
        click.echo(f"{each['metric']:<20} {each['unit']:<9} {each['says']}; {each['bad']} is bad")


@command.command()
@click.argument("name")
@config_option
@_rule_options
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def add(name: str, config: Path | None, *, as_json: bool, **given: Any) -> None:
    """Watch something from now on. NAME is your word for it. `headgate rules preview` shows first what it would do."""
    from headgate.control.rules import RuleTaken, WrongRule, add_rule, rule_words

    rule, configuration = _rule(name, dict(given)), read_configuration(config)
    _warn_of_unknown_feature(configuration, given["feature"])
    watch = configuration.settings.watch
    try:
        _with_stores(configuration, lambda stores: add_rule(stores.rules, watch, rule, actor=actor()))
    except RuleTaken as taken:
        fail(str(taken))
    except WrongRule as wrong:
        fail(str(wrong), code=2)
    if as_json:
        print_json({"name": name, "says": rule_words(rule)})
        return
    say(f"`{name}` is watched: {rule_words(rule)}")


@command.command()
@config_option
@_rule_options
@click.option("--days", type=click.IntRange(1, 90), default=7, show_default=True, help="How far back.")
@click.option("--json", "as_json", is_flag=True, help="For scripts: the whole series.")
def preview(config: Path | None, days: int, *, as_json: bool, **given: Any) -> None:
    """Tell what a rule would have done in the last days: its value, and when somebody would have been told."""
    from headgate.control.rules import preview_rule, rule_words

    rule, configuration = _rule("preview", given), read_configuration(config)
    now = int(time.time())
    found = _with_stores(
        configuration, lambda stores: preview_rule(stores.rollups, stores.scores, rule, days, now)
    )
    if as_json:
        print_json(_foreseen_facts(rule, found))
        return
    click.echo(rule_words(rule))
    for series in found.series:
        _print_series(rule, series)
    if len(found.fired) > _MOST_FIRED:
        click.echo(f"  {len(found.fired) - _MOST_FIRED} times before these")
    for each in found.fired[-_MOST_FIRED:]:
        until = "still" if each.until is None else f"until {_moment(each.until)}"
        color = _COLORS.get(each.state)
        click.echo(
            f"  {_moment(each.at)}  {click.style(each.state, fg=color)}  {_plain(each.subject)}, {until}"
        )
    times = len(found.fired)
    told = (
        "nobody would have been told of anything"
        if not times
        else f"somebody would have been told {times} times"
    )
    coarse = (
        f"; looked at each {found.step // 60} minutes" if found.step > max(rule.every_seconds, 60) else ""
    )
    click.echo(
        f"in the last {days} {'day' if days == 1 else 'days'} {told.replace(' 1 times', ' once')}{coarse}"
    )


@command.command()
@click.argument("name")
@config_option
def pause(name: str, config: Path | None) -> None:
    """Do not look at a rule for now, wherever it stands. `headgate rules resume` looks again."""
    _pause(name, config, paused=True)


@command.command()
@click.argument("name")
@config_option
def resume(name: str, config: Path | None) -> None:
    """Look at a rule again that was paused."""
    _pause(name, config, paused=False)


@command.command()
@click.argument("name")
@config_option
def remove(name: str, config: Path | None) -> None:
    """Watch it no more. Only rules that were added are removed here; others are taken out of the configuration."""
    from headgate.control.rules import NoSuchRule, remove_rule

    configuration = read_configuration(config)
    watch = configuration.settings.watch
    try:
        _with_stores(configuration, lambda stores: remove_rule(stores.rules, watch, name, actor=actor()))
    except NoSuchRule as missing:
        _no_such(missing)
    say(f"`{name}` is watched no more")


def _pause(name: str, config: Path | None, *, paused: bool) -> None:
    from headgate.control.rules import NoSuchRule, pause_rule

    configuration = read_configuration(config)
    watch = configuration.settings.watch
    try:
        _with_stores(
            configuration,
            lambda stores: pause_rule(stores.rules, watch, name, paused=paused, actor=actor()),
        )
    except NoSuchRule as missing:
        _no_such(missing)
    say(f"`{name}` is {'not looked at until `headgate rules resume`' if paused else 'looked at again'}")


def _no_such(missing: Any) -> None:
    from headgate.config.problems import did_you_mean

    fail(f"{missing}{did_you_mean(missing.name, missing.names)}")


def _rule(name: str, given: dict[str, Any]) -> AlertRuleSettings:
    """The rule that the options say. Ends the command with code 2 if it is none."""
    from headgate.control.rules import WrongRule, rule_from

    of = {part: given.pop(part) for part in ("feature", "model", "provider")}
    given = {**given, "of": {part: value for part, value in of.items() if value}}
    facts = {key: _number(value) if key in ("alert", "warning") else value for key, value in given.items()}
    try:
        return rule_from({"name": name, **{key: value for key, value in facts.items() if value is not None}})
    except WrongRule as wrong:
        fail(str(wrong), code=2)


def _number(text: str | None) -> float | str | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return text


def _warn_of_unknown_feature(configuration: Configuration, feature: str) -> None:
    from headgate.config.problems import did_you_mean

    known = [*configuration.settings.features, *configuration.settings.models]
    if feature and feature not in known:
        near = did_you_mean(feature, known)
        say(click.style("note: ", fg="yellow") + f"no feature `{feature}` is configured now{near}")


def _print_rules(facts: Sequence[dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, header_style="bold", pad_edge=False)
    for title in ("rule", "from", "state", "says", "stands"):
        table.add_column(title, no_wrap=title in ("rule", "from", "state"))
    for each in facts:
        bad = [one for one in each["standings"] if one["state"] in ("alert", "warning")]
        shown = ", ".join(f"{_plain(one['subject'])}: {one['state']}" for one in bad[:3])
        more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
        state = Text(each["state"], style=_COLORS.get(each["state"], "").replace("bright_black", "dim"))
        table.add_row(each["name"], each["source"], state, Text(each["says"]), Text(f"{shown}{more}"))
    console = Console()
    (console if console.is_terminal else Console(width=_PIPE_WIDTH)).print(table)


def _print_series(rule: AlertRuleSettings, series: Series) -> None:
    from headgate.alerts.rules.metrics import shown

    values = [value for _, value in series.values]
    known = [value for value in values if value is not None]
    if not known:
        click.echo(f"  {_plain(series.subject):<24} no data")
        return
    unit, ratio = rule.watched.unit, bool(rule.against)
    most, least = (shown(each, unit, ratio=ratio) for each in (max(known), min(known)))
    click.echo(f"  {_plain(series.subject):<24} {_sparkline(values)}  {least} to {most}, now {series.state}")


def _sparkline(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    top = max(known, default=0.0)
    per = max(len(values) / _WIDTH, 1)
    cells = []
    for place in range(min(len(values), _WIDTH)):
        part = [
            v
            for v in values[int(place * per) : max(int((place + 1) * per), int(place * per) + 1)]
            if v is not None
        ]
        # The highest of each stretch: a peak is what is looked for.
        cells.append(_BARS[min(int(max(part) / top * 7.999), 7) if top else 0] if part else " ")
    return "".join(cells)


def _foreseen_facts(rule: AlertRuleSettings, found: Foreseen) -> dict[str, object]:
    from headgate.control.rules import rule_words

    return {
        "says": rule_words(rule),
        "since": _iso(found.since),
        "until": _iso(found.until),
        "step_seconds": found.step,
        "times": len(found.fired),
        "fired": [
            {
                "subject": each.subject,
                "state": each.state,
                "at": _iso(each.at),
                "until": None if each.until is None else _iso(each.until),
            }
            for each in found.fired
        ],
        "series": [
            {"subject": each.subject, "state": each.state, "values": [value for _, value in each.values]}
            for each in found.series
        ],
        "left_out": found.left_out,
    }


def _iso(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).isoformat()


def _moment(second: int) -> str:
    return f"{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M} UTC"


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


def _plain(text: str) -> str:
    # Names come from people: nothing in them may move the cursor.
    return "".join(character if character.isprintable() else "?" for character in text)
