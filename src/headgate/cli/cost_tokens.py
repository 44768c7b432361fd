"""`headgate cost tokens`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.cost_options import form_of, form_options, percent, which_of, which_options
from headgate.cli.output import config_option, plain_failures, print_json, read_configuration, say

if TYPE_CHECKING:
    from headgate.config.loader import Configuration
    from headgate.control.costs.accuracy import Accuracy, Errors, Judged
    from headgate.stores.totals import Which

__all__ = ["tokens_command"]

_TITLES = (
    "model",
    "dialect",
    "counted by",
    "requests",
    "reported",
    "estimated",
    "bias",
    "mean error",
    "95 % within",
)


@click.command("tokens", short_help="How far off is our own count of tokens?")
@config_option
@click.option(
    "--sample",
    type=click.IntRange(0, 1_000_000),
    default=500,
    show_default=True,
    help="How many kept prompts to read and count; 0: none.",
)
@which_options
@form_options
def tokens_command(config: Path | None, *, sample: int, form: str, **asked: Any) -> None:
    """Tell how far Headgate's own count of prompt tokens is off what providers reported, per model and dialect.

    Prompts are counted by kinds of characters, without a tokenizer, where a count is needed before the call or where a
    provider reports none. `text` judges that, on a sample of the prompts that are kept; `length` judges a quarter
    of a token per byte, which is what is left where a prompt is not kept.

    \b
    bias         by how much all counts together are off: what a bill made of them would be off
    mean error   how far one count is off on average, in either direction
    95 % within  how far off nineteen of twenty counts are at most

    \b
    Examples:
      headgate cost tokens
      headgate cost tokens --sample 2000 --feature support-chat --since 7d --json
    """
    which = which_of(asked)
    configuration = read_configuration(config)
    with plain_failures():
        found = asyncio.run(_read(configuration, which, sample))
    form = form_of(form)
    if form == "json":
        print_json(
            {
                "groups": [_told(one, way, errors) for one, way, errors in _judged(found)],
                "unpriced": found.unpriced,
            }
        )
    elif form == "csv":
        _print_csv(found)
    elif not found.groups and not found.unpriced:
        say(
            f"no chat with a provider's own count of tokens is recorded in {configuration.settings.server.database}"
        )
    else:
        click.echo("\n".join(_lines(found)))


async def _read(configuration: Configuration, which: Which, sample: int) -> Judged:
    from headgate.compose.stores import open_stores
    from headgate.control.costs.accuracy import accuracy

    stores = open_stores(configuration.settings)
    try:
        if not sample or not sys.stderr.isatty():
            return await accuracy(stores.spans, which, sample=sample)
        with click.progressbar(length=sample, label="Reading prompts", file=sys.stderr) as bar:

            def progress(done: int, whole: int) -> None:
                bar.length = whole
                bar.update(done - bar.pos)

            return await accuracy(stores.spans, which, sample=sample, progress=progress)
    finally:
        await stores.aclose()


def _judged(found: Judged) -> Iterator[tuple[Accuracy, str, Errors]]:
    for one in found.groups:
        if one.by_text.requests:
            yield one, "text", one.by_text
        yield one, "length", one.by_length


def _lines(found: Judged) -> Iterator[str]:
    from headgate.cli.table import aligned, plain

    rows = [
        [
            plain(one.model, 40),
            one.dialect,
            way,
            f"{errors.requests:,}",
            f"{errors.reported:,}",
            f"{errors.estimated:,}",
            f"{'+' if errors.bias > 0 else ''}{percent(errors.bias)}",
            percent(errors.mean_absolute),
            percent(errors.p95),
        ]
        for one, way, errors in _judged(found)
    ]
    if rows:
        yield aligned(_TITLES, rows, left=3)
    if found.groups and not any(one.by_text.requests for one in found.groups):
        yield "\n  No prompt is kept, so only the length could be judged."
    if found.unpriced:
        yield (
            f"\n  {found.unpriced:,} attempts are left out because their model has no price: whether their tokens were\n"
            "  reported or estimated is told by the label of their cost. `price = { input = 0, output = 0 }` is a price too."
        )


def _told(one: Accuracy, way: str, errors: Errors) -> dict[str, Any]:
    return {
        "model": one.model,
        "dialect": one.dialect,
        "counted_by": way,
        "requests": errors.requests,
        "reported_tokens": errors.reported,
        "estimated_tokens": errors.estimated,
        "bias": round(errors.bias, 6),
        "mean_absolute_error": round(errors.mean_absolute, 6),
        "p95_error": round(errors.p95, 6),
    }


def _print_csv(found: Judged) -> None:
    from headgate.cli.table import as_csv

    told = [_told(one, way, errors) for one, way, errors in _judged(found)]
    titles = list(told[0]) if told else ["model", "dialect", "counted_by"]
    click.echo(as_csv(titles, [list(line.values()) for line in told], words=2), nl=False)
