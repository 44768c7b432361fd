"""What the commands about money have in common: which requests, in which form, and money as text."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TYPE_CHECKING, Any, TypeVar

import click

from headgate.cli.output import fail

if TYPE_CHECKING:
    from headgate.stores.totals import Which

__all__ = ["FORMS", "form_of", "form_options", "moment_ns", "money", "percent", "which_of", "which_options"]

FORMS = ("table", "csv", "json")
_NS = 1_000_000_000
_CENT = Decimal("0.01")
_FINE = Decimal("0.000001")

F = TypeVar("F", bound=Callable[..., Any])


def form_options(command: F) -> F:
    """`--format`, and `--json` and `--csv` for short: a `form` for `form_of`."""
    options = (
        click.option(
            "--format",
            "form",
            type=click.Choice(FORMS),
            default="table",
            show_default=True,
            help="What to print.",
        ),
        click.option(
            "--csv",
            "as_csv",
            is_flag=True,
            expose_value=False,
            callback=_shortly("csv"),
            help="The same as --format csv.",
        ),
        click.option(
            "--json",
            "as_json",
            is_flag=True,
            expose_value=False,
            callback=_shortly("json"),
            help="For scripts; the same as --format json.",
        ),
    )
    for option in options:
        command = option(command)
    return command


def _shortly(form: str) -> Callable[[click.Context, click.Parameter, bool], None]:
    def note(context: click.Context, parameter: click.Parameter, value: bool) -> None:  # noqa: ARG001 - click's signature
        if value:
            context.meta["headgate.form"] = form

    return note


def form_of(form: str) -> str:
    """The form that was asked for, by whichever option."""
    return str(click.get_current_context().meta.get("headgate.form", form))


def which_options(command: F) -> F:
    """`--since`, `--until` and the filters: for `which_of`."""
    options = (
        click.option(
            "--since",
            metavar="WHEN",
            help="Requests from then on: 24h, 7d, or a date such as 2026-11-01 (UTC).",
        ),
        click.option("--until", metavar="WHEN", help="Requests before then."),
        click.option("--feature", metavar="NAME", help="Only this feature's."),
        click.option("--user", metavar="NAME", help="Only this user's."),
        click.option("--team", metavar="NAME", help="Only this team's."),
        click.option("--key", metavar="ID", help="Only this key's."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def which_of(asked: dict[str, Any]) -> Which:
    """The requests that are meant; takes its own arguments out of `asked`. Ends the command with 2 for a bad moment."""
    from headgate.stores.totals import FOREVER_NS, Which

    since, until = asked.pop("since"), asked.pop("until")
    now = time.time_ns()
    only = {name: asked.pop(name) for name in ("feature", "user", "team", "key")}
    only["key_id"] = only.pop("key")
    which = Which(
        since_ns=moment_ns(since, now, "--since") if since else 0,
        until_ns=moment_ns(until, now, "--until") if until else FOREVER_NS,
        only={name: value for name, value in only.items() if value is not None},
    )
    if which.since_ns >= which.until_ns:
        fail("--since is not before --until", code=2)
    return which


def moment_ns(text: str, now_ns: int, option: str) -> int:
    """Nanoseconds since 1970 of `7d` (so long ago) or of a date."""
    from headgate.core.section import Duration

    # `7` alone would be seven seconds to Duration, and seven days to whoever typed it.
    if text[-1:].isalpha() and "-" not in text:
        with contextlib.suppress(ValueError):
            return now_ns - int(Duration.parse(text) * _NS)
    try:
        moment = datetime.fromisoformat(text if "-" in text else "")
    except ValueError:
        fail(f'{option} "{text}" is neither like 90m, 24h or 7d nor a date like 2026-11-01', code=2)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(moment.timestamp()) * _NS


def money(amount: Decimal, *, fine: bool = False) -> str:
    """USD to the cent; to the millionth where `fine`, or where it is less than a cent."""
    small = fine or 0 < abs(amount) < _CENT
    return f"{amount.quantize(_FINE if small else _CENT, ROUND_HALF_EVEN):,f}"


def percent(part: Decimal | float) -> str:
    """0.3 as `30 %`, 0.905 as `90.5 %`."""
    text = f"{100 * part:.1f}"
    return f"{text.removesuffix('.0')} %"
