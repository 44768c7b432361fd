"""`headgate ledger`: every movement of money, and the proof that they add up."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.cost_options import form_of, form_options, money, which_of, which_options
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.control.ledger import Checked, MovementSums
    from headgate.stores.ledger import Movement
    from headgate.stores.totals import Which

__all__ = ["command"]

_TITLES = (
    "when (UTC)",
    "kind",
    "provider",
    "model",
    "feature",
    "user",
    "event",
    "USD",
    "label",
    "set aside",
    "back",
)
_FACTS = (
    *("at", "kind", "usd", "label", "reserved_usd", "event", "provider", "model", "feature", "key_id"),
    *("user", "team", "tenant", "budget", "subject", "note"),
)
_NUMBERS = frozenset({"usd", "reserved_usd"})


@click.group(invoke_without_command=True)
@config_option
@click.option(
    "--kind",
    "kinds",
    multiple=True,
    metavar="KIND",
    help="call, orphan, void, deposit or reconcile; may be repeated. Without it: all.",
)
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=50,
    show_default=True,
    help="How many lines of the table at most, the newest; sums are of all.",
)
@which_options
@form_options
@click.pass_context
def command(
    context: click.Context,
    /,
    config: Path | None,
    *,
    kinds: Sequence[str],
    limit: int,
    form: str,
    **asked: Any,
) -> None:
    """List movements of money, the newest last, with their sums.

    A `call` is settled by its own record: what it cost, what had been set aside for it, how much of that came back.
    `orphan`: set aside by a gateway that died, counted as spent; `void`: its record has turned up after all. `deposit`:
    put into a prepaid budget. `reconcile`: the difference to a provider's bill (headgate cost reconcile). Each is exact,
    estimated, reconciled, or unknown where the model has no price. Nothing in it is ever changed or deleted.

    CSV and JSON have every line that is meant, whatever --limit says.

    \b
    Examples:
      headgate ledger --since 24h
      headgate ledger --kind orphan --kind reconcile --since 2026-11-01
      headgate ledger --feature support-chat --csv > movements.csv
      headgate ledger check
    """
    if context.invoked_subcommand is not None:
        return
    _check_kinds(kinds)
    which = which_of(asked)
    configuration = read_configuration(config)
    form = form_of(form)
    with plain_failures():
        if form == "table":
            asyncio.run(_show(configuration, which, kinds, limit))
        else:
            asyncio.run(_print_all(configuration, which, kinds, form))


def _check_kinds(kinds: Sequence[str]) -> None:
    from headgate.control.ledger import KINDS

    for kind in kinds:
        if kind not in KINDS:
            import difflib

            near = difflib.get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"there are {', '.join(KINDS)}"
            fail(f"--kind {kind}: {hint}", code=2)


async def _show(configuration: Configuration, which: Which, kinds: Sequence[str], limit: int) -> None:
    from headgate.cli.table import aligned
    from headgate.compose.stores import open_stores
    from headgate.control.ledger import last_movements

    stores = open_stores(configuration.settings)
    try:
        lines, sums = await last_movements(stores.ledger, which, kinds, limit)
    finally:
        await stores.aclose()
    if not lines:
        say(f"no such movement is in {configuration.settings.server.database}")
        return
    click.echo(aligned(_TITLES, [_row(one) for one in lines], left=7))
    click.echo("\n".join(_sums(sums, len(lines))))


async def _print_all(configuration: Configuration, which: Which, kinds: Sequence[str], form: str) -> None:
    from headgate.cli.table import as_csv
    from headgate.compose.stores import open_stores
    from headgate.control.ledger import MovementSums, movements

    stores = open_stores(configuration.settings)
    found: AsyncIterator[Movement] = movements(stores.ledger, which, kinds)
    # Texts first, so that what callers wrote is no formula to a spreadsheet.
    titles = [*(name for name in _FACTS if name not in _NUMBERS), "usd", "reserved_usd"]
    sums = MovementSums()
    try:
        # As they come: there may be more of them than fit into memory.
        click.echo(as_csv(titles, []) if form == "csv" else '{"lines": [', nl=False)
        async for one in found:
            facts = _told(one)
            if form == "csv":
                row = ["" if facts[name] is None else facts[name] for name in titles]
                text = as_csv(titles, [row], words=len(titles) - len(_NUMBERS))
                click.echo(text.split("\n", 1)[1], nl=False)
            else:
                click.echo(f"{',' if sums.lines else ''}\n{json.dumps(facts, ensure_ascii=False)}", nl=False)
            sums.add(one)
        if form == "json":
            click.echo(f'\n], "sums": {json.dumps(_told_sums(sums))}}}')
    finally:
        await stores.aclose()


def _row(one: Movement) -> list[str]:
    from headgate.cli.table import plain
    from headgate.core.money import usd

    settled = one.kind == "call" and one.nanos is not None
    back = max(one.reserved_nanos - (one.nanos or 0), 0) if settled else 0
    return [
        f"{_moment(one.at_ns):%Y-%m-%d %H:%M:%S}",
        one.kind,
        plain(one.provider, 20),
        plain(one.model, 30),
        plain(one.feature or one.budget, 20),
        plain(one.user or one.subject, 20),
        plain(one.event, 40),
        "?" if one.nanos is None else money(usd(one.nanos), fine=True),
        one.label or "-",
        money(usd(one.reserved_nanos), fine=True) if one.reserved_nanos else "-",
        money(usd(back), fine=True) if back else "-",
    ]


def _sums(sums: MovementSums, shown: int) -> Iterator[str]:
    from headgate.core.money import usd

    def text(nanos: int) -> str:
        return money(usd(nanos), fine=True)

    yield ""
    if shown < sums.lines:
        yield f"  The newest {shown:,} of {sums.lines:,} lines; the sums are of all."
    for kind, (lines, nanos) in sorted(sums.kinds.items()):
        yield f"  {kind:<10} {lines:>12,} {text(nanos):>20} USD"
    yield f"  {'spent':<10} {'':>12} {text(sums.spent):>20} USD, {text(sums.estimated)} of it estimated"
    if sums.reserved:
        yield f"  {'set aside':<10} {'':>12} {text(sums.reserved):>20} USD, {text(sums.refunded)} of it given back"
    if sums.deposited:
        yield f"  {'deposited':<10} {'':>12} {text(sums.deposited):>20} USD"
    if sums.unknown:
        yield f"  ? {sums.unknown:,} calls of unknown cost come on top; give their models a `price`"


def _told(one: Movement) -> dict[str, Any]:
    from headgate.core.ids import request_id_text
    from headgate.core.money import usd

    facts: dict[str, Any] = {
        name: getattr(one, name) for name in _FACTS if name not in ("at", "usd", "reserved_usd")
    }
    facts["at"] = _moment(one.at_ns).isoformat()
    facts["usd"] = None if one.nanos is None else f"{usd(one.nanos):f}"
    facts["reserved_usd"] = f"{usd(one.reserved_nanos):f}"
    ordered = {name: facts[name] for name in _FACTS}
    return {**ordered, "request": request_id_text(one.request_id) if one.request_id else None}


def _told_sums(sums: MovementSums) -> dict[str, Any]:
    from headgate.core.money import usd

    return {
        "lines": sums.lines,
        "unknown": sums.unknown,
        "spent_usd": f"{usd(sums.spent):f}",
        "estimated_usd": f"{usd(sums.estimated):f}",
        "reserved_usd": f"{usd(sums.reserved):f}",
        "refunded_usd": f"{usd(sums.refunded):f}",
        "deposited_usd": f"{usd(sums.deposited):f}",
        "kinds": {
            kind: {"lines": lines, "usd": f"{usd(nanos):f}"} for kind, (lines, nanos) in sums.kinds.items()
        },
    }


def _moment(ns: int) -> datetime:
    return datetime.fromtimestamp(ns / 1e9, tz=UTC)


@command.command()
@config_option
@click.option("--json", "as_json", is_flag=True, help="For scripts.")
def check(config: Path | None, *, as_json: bool) -> None:
    """Prove that the ledger adds up: every call once, each request the sum of its calls, budgets no more than calls.

    Reads everything there is. Exit code 1 if something does not add up, and then it is said what.

    \b
    Example:
      headgate ledger check
    """
    configuration = read_configuration(config)

    async def run() -> Checked:
        from headgate.compose.stores import open_stores
        from headgate.control.ledger import check_ledger

        stores = open_stores(configuration.settings)
        try:
            return await check_ledger(stores.ledger)
        finally:
            await stores.aclose()

    with plain_failures():
        found = asyncio.run(run())
    if as_json:
        print_json(_checked(found))
    else:
        click.echo("\n".join(_proof(found)))
    if found.wrong:
        raise SystemExit(1)


def _proof(found: Checked) -> Iterator[str]:
    from headgate.core.money import usd

    def line(words: str, count: int, nanos: int) -> str:
        return f"  {words:<28} {count:>12,} {usd(nanos):>24f} USD"

    yield line("requests", found.requests, found.request_nanos)
    if found.partly_nanos:
        yield line("  known calls of unknown ones", 0, found.partly_nanos)
    yield line("calls", found.calls, found.call_nanos)
    for kind, (count, nanos) in found.entries.items():
        yield line(f"{kind} entries", count, nanos)
    spent = found.call_nanos + found.entered_nanos
    yield line("all movements", found.calls + sum(count for count, _ in found.entries.values()), spent)
    if found.pots:
        yield line("counted for budgets", found.pots, found.pot_nanos)
    if found.unknown:
        yield f"  {found.unknown:,} calls of unknown cost come on top"
    if found.wrong:
        yield click.style(f"{len(found.wrong)} things do not add up:", fg="red", bold=True)
        for words in found.wrong:
            yield f"  {words}"
    else:
        yield "It adds up."


def _checked(found: Checked) -> dict[str, Any]:
    from headgate.core.money import usd

    return {
        "ok": not found.wrong,
        "wrong": found.wrong,
        "requests": found.requests,
        "requests_usd": f"{usd(found.request_nanos):f}",
        "calls": found.calls,
        "calls_usd": f"{usd(found.call_nanos):f}",
        "partly_known_usd": f"{usd(found.partly_nanos):f}",
        "unknown_calls": found.unknown,
        "entries": {
            kind: {"count": count, "usd": f"{usd(nanos):f}"} for kind, (count, nanos) in found.entries.items()
        },
        "movements_usd": f"{usd(found.call_nanos + found.entered_nanos):f}",
        "pots": found.pots,
        "pots_usd": f"{usd(found.pot_nanos):f}",
    }
