"""`headgate cost whatif`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.cost_options import form_of, form_options, money, percent, which_of, which_options
from headgate.cli.output import config_option, fail, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.config.model import Settings
    from headgate.control.costs.whatif import Compared, Comparison, Target
    from headgate.stores.totals import Which

__all__ = ["whatif_command"]

_TITLES = ("feature", "requests", "attempts", "repriced", "before USD", "after USD", "difference", "change")
_IF_UNKNOWN = ("of unknown cost", "after USD")
_TIERS = ("simple", "medium", "complex")


@click.command("whatif", short_help="What would it have cost elsewhere?")
@config_option
@click.option(
    "--model", "-m", metavar="MODEL", help="A model of the configuration or the price list, or a price."
)
@click.option(
    "--route",
    "routes",
    multiple=True,
    metavar="TIER=MODEL",
    help="Only requests judged simple, medium or complex; may be repeated, and goes before --model.",
)
@click.option(
    "--operation",
    type=click.Choice(("chat", "embeddings")),
    default="chat",
    show_default=True,
    help="Which requests.",
)
@which_options
@form_options
def whatif_command(
    config: Path | None,
    *,
    model: str | None,
    routes: Sequence[str],
    operation: str,
    form: str,
    **asked: Any,
) -> None:
    """Price recorded traffic as if another model had answered it. Nobody is called, and no record changes.

    Each attempt's tokens, as they were counted, are priced at the other model's price of that day. Another model would
    count and answer differently: `headgate cost tokens`, or a shadow copy to it, tells how much. A price instead of a
    model is USD per 1,000 tokens (0.0015/1k) or per million (0.15:0.60/M for prompt and answer).

    \b
    Examples:
      headgate cost whatif --model gpt-4o-mini
      headgate cost whatif --model anthropic/claude-3-5-haiku-latest --feature support-chat --since 7d
      headgate cost whatif --route simple=small --route complex=0.0015/1k --json
    """
    if not model and not routes:
        fail("say --model MODEL or --route TIER=MODEL: at whose price?", code=2)
    which = which_of(asked)
    configuration = read_configuration(config)
    comparison = _comparison(configuration.settings, model, routes, operation)
    with plain_failures():
        asyncio.run(_read(configuration, comparison, which))
    form = form_of(form)
    if form == "json":
        print_json(_as_json(comparison))
    elif form == "csv":
        _print_csv(comparison)
    else:
        if not comparison.features and not comparison.left_out:
            say(f"no such request is recorded in {configuration.settings.server.database}")
            return
        click.echo("\n".join(_lines(comparison)))


def _comparison(settings: Settings, model: str | None, routes: Sequence[str], operation: str) -> Comparison:
    from headgate.cli.cost_prices import target_of
    from headgate.control.costs.whatif import Comparison
    from headgate.providers.catalog.book import PriceBook

    book = PriceBook()
    by_tier: dict[str, Target] = {}
    for text in routes:
        tier, sign, name = text.partition("=")
        if not sign or not name or tier not in _TIERS:
            fail(f"--route {text}: write simple=MODEL, medium=MODEL or complex=MODEL", code=2)
        by_tier[tier] = target_of(name, book, settings)
    target = target_of(model, book, settings) if model else None
    return Comparison(target, by_tier, operation)


async def _read(configuration: Configuration, comparison: Comparison, which: Which) -> None:
    from headgate.compose.stores import open_stores
    from headgate.control.costs.whatif import whatif

    stores = open_stores(configuration.settings)
    try:
        await whatif(stores.spans, comparison, which)
    finally:
        await stores.aclose()


def _lines(comparison: Comparison) -> Iterator[str]:
    from headgate.cli.table import aligned

    names = [f"{tier} at the price of {target.name}" for tier, target in comparison.by_tier.items()]
    if comparison.target is not None:
        names.append(f"{'the rest' if names else 'all'} at the price of {comparison.target.name}")
    else:
        names.append("the rest as it was")
    yield f"{comparison.operation}: {', '.join(names)}"
    yield ""
    if comparison.features:
        features = sorted(comparison.features.values(), key=lambda line: (-line.before_nanos, line.feature))
        more = bool(comparison.total.unknown)
        yield aligned(
            [*_TITLES, *(_IF_UNKNOWN if more else ())],
            [_row(line, more=more) for line in features],
            last=["all", *_row(comparison.total, more=more)[1:]],
        )
        if more:
            yield "\n  Attempts whose own cost is not known are on neither side; what they would cost stands beside."
        estimated = comparison.total.estimated
        if estimated:
            yield f"\n  The tokens of {estimated:,} attempts are estimated."
    if comparison.left_out:
        yield "\n  Left out:"
        for reason, attempts in sorted(comparison.left_out.items()):
            yield f"    {attempts:,} attempts: {reason}"
    yield "\n  Tokens are as recorded; another model counts and answers differently. Nobody was called."


def _row(line: Compared, *, more: bool) -> list[str]:
    from headgate.cli.table import plain
    from headgate.core.money import usd

    change = _change(line)
    unknown = [f"{line.unknown:,}", money(usd(line.unknown_after_nanos), fine=True)]
    return [
        plain(line.feature, 40),
        f"{line.requests:,}",
        f"{line.attempts:,}",
        f"{line.repriced:,}",
        money(usd(line.before_nanos), fine=True),
        money(usd(line.after_nanos), fine=True),
        money(usd(line.after_nanos - line.before_nanos), fine=True),
        "-" if change is None else f"{'+' if change > 0 else ''}{percent(change)}",
        *(unknown if more else ()),
    ]


def _change(line: Compared) -> Decimal | None:
    if not line.before_nanos:
        return None
    return Decimal(line.after_nanos - line.before_nanos) / line.before_nanos


def _print_csv(comparison: Comparison) -> None:
    from headgate.cli.table import as_csv

    told = [_told(line) for line in comparison.features.values()]
    titles = list(told[0]) if told else ["feature"]
    click.echo(as_csv(titles, [list(line.values()) for line in told], words=1), nl=False)


def _as_json(comparison: Comparison) -> dict[str, Any]:
    return {
        "model": comparison.target.name if comparison.target else None,
        "route": {tier: target.name for tier, target in comparison.by_tier.items()},
        "operation": comparison.operation,
        "features": [_told(line) for line in comparison.features.values()],
        "total": _told(comparison.total),
        "left_out": dict(comparison.left_out),
    }


def _told(line: Compared) -> dict[str, Any]:
    from headgate.core.money import usd

    return {
        "feature": line.feature,
        "requests": line.requests,
        "attempts": line.attempts,
        "repriced": line.repriced,
        "estimated": line.estimated,
        "before_usd": f"{usd(line.before_nanos):f}",
        "after_usd": f"{usd(line.after_nanos):f}",
        "unknown": line.unknown,
        "unknown_after_usd": f"{usd(line.unknown_after_nanos):f}",
    }
