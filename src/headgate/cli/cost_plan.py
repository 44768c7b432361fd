"""`headgate cost plan`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.cost_options import form_of, form_options
from headgate.cli.output import fail, print_json, read_configuration

if TYPE_CHECKING:
    from headgate.control.costs.plan import Assumptions
    from headgate.control.costs.prices import UnitPrice

__all__ = ["plan_command"]


def _amount(text: str) -> Decimal:
    """A number, exactly as written; `30%` is 0.3."""
    plain = text.strip().replace(",", "").replace("_", "")
    try:
        amount = Decimal(plain.removesuffix("%"))
    except InvalidOperation:
        raise click.BadParameter(f"`{text}` is not a number") from None
    if not amount.is_finite() or abs(amount.adjusted()) > 12:
        raise click.BadParameter(f"`{text}` is out of range")
    return amount / 100 if plain.endswith("%") else amount


@click.command("plan", short_help="What will it cost?")
@click.option("--conversations", type=_amount, required=True, metavar="N", help="Conversations a day.")
@click.option("--messages", type=_amount, required=True, metavar="N", help="Messages in a conversation.")
@click.option(
    "--tokens", type=_amount, required=True, metavar="N", help="Tokens of a message, prompt and answer."
)
@click.option("--price", metavar="PRICE", help="What they cost now: 0.045/1k, 0.15/M, 0.15:0.60/M.")
@click.option("--model", metavar="MODEL", help="Or the model that answers now, at its list price.")
@click.option(
    "--answers",
    type=_amount,
    default="0.25",
    show_default=True,
    metavar="PART",
    help="The part of the tokens that is answer.",
)
@click.option(
    "--tokens-after", type=_amount, metavar="N", help="Tokens of a message, once prompts are shortened."
)
@click.option("--compress", type=_amount, metavar="PART", help="Or the part of the tokens that is saved.")
@click.option(
    "--share",
    "shares",
    multiple=True,
    metavar="MODEL=PART",
    help="Send a part of the traffic to another model or price; may be repeated.",
)
@click.option(
    "--cache", type=_amount, default="0", metavar="PART", help="The part that a cache answers for nothing."
)
@click.option(
    "--growth",
    type=_amount,
    default="0",
    metavar="PART",
    help="By how much each month has more conversations.",
)
@click.option(
    "--months",
    type=click.IntRange(1, 120),
    default=12,
    show_default=True,
    help="Months to look at, with --growth.",
)
@click.option(
    "--config",
    "-c",
    type=click.Path(path_type=Path),
    envvar="HEADGATE_CONFIG",
    help="A configuration whose models and prices may be named too.",
)
@form_options
def plan_command(form: str, **asked: Any) -> None:
    """Reckon what traffic will cost, a day and a month (of 30 days), now and with what you could do about it.

    A price is USD per 1,000 tokens (0.045/1k) or per million (0.15/M; 0.15:0.60/M for prompt and answer). A model is one
    of the price list that comes with Headgate (gpt-4o-mini, openai/gpt-4o-mini). Parts are 0.3 or 30%.

    \b
    Examples:
      headgate cost plan --conversations 10000 --messages 10 --tokens 500 --price 0.045/1k
      headgate cost plan --conversations 10000 --messages 10 --tokens 500 --price 0.045/1k \\
        --tokens-after 200 --share 0.0015/1k=0.7 --share 0.045/1k=0.3 --cache 0.3
      headgate cost plan --conversations 500 --messages 6 --tokens 1200 --model gpt-4o \\
        --share gpt-4o-mini=80% --growth 10% --json
    """
    from headgate.cli.cost_plan_text import plan_as_csv, plan_as_json, plan_lines
    from headgate.control.costs.plan import plan

    try:
        found = plan(_assumptions(**asked))
    except ValueError as wrong:
        fail(str(wrong), code=2)
    form = form_of(form)
    if form == "json":
        print_json(plan_as_json(found))
    elif form == "csv":
        click.echo(plan_as_csv(found), nl=False)
    else:
        click.echo("\n".join(plan_lines(found)))


def _assumptions(
    *,
    price: str | None,
    model: str | None,
    shares: Sequence[str],
    compress: Decimal | None,
    config: Path | None,
    tokens: Decimal,
    tokens_after: Decimal | None,
    answers: Decimal,
    **rest: Any,
) -> Assumptions:
    from headgate.control.costs.plan import Assumptions
    from headgate.providers.catalog.book import PriceBook

    if (price is None) == (model is None):
        fail("say either --price or --model: what the tokens cost now", code=2)
    if compress is not None and tokens_after is not None:
        fail("say either --compress or --tokens-after: both tell how short messages become", code=2)
    if compress is not None:
        if not 0 <= compress <= 1:
            fail(f"--compress {compress}: write a part between 0 and 1, such as 0.6", code=2)
        tokens_after = tokens * (1 - compress)
    settings = read_configuration(config).settings if config else None
    book = PriceBook()

    def priced(text: str, *, of: Decimal) -> UnitPrice:
        from headgate.cli.cost_prices import target_of
        from headgate.control.costs.prices import looks_like_a_price, parse_price, price_of_rates

        if text == price or looks_like_a_price(text):
            return parse_price(text)
        rates = target_of(text, book, settings).rates_at(time.time_ns())
        if rates is None:
            fail(f"no price is known for `{text}`", code=2)
        return price_of_rates(text, rates, prompt_tokens=int(of * (1 - answers)))

    sent = tokens if tokens_after is None else tokens_after
    return Assumptions(
        price=priced(price or model or "", of=tokens),
        tokens=tokens,
        tokens_after=tokens_after,
        answers=answers,
        shares=[(priced(name, of=sent), part) for name, part in map(_share, shares)],
        **rest,
    )


def _share(text: str) -> tuple[str, Decimal]:
    name, sign, part = text.rpartition("=")
    if not sign or not name:
        fail(f"--share {text}: write MODEL=PART, such as gpt-4o-mini=0.7 or 0.0015/1k=0.7", code=2)
    return name.strip(), _amount(part)
