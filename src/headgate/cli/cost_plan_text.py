"""A plan as text: for people step by step, for spreadsheets and scripts with every digit."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import click

from headgate.cli.cost_options import money, percent
from headgate.cli.table import aligned, as_csv
from headgate.control.costs.plan import Assumptions, Month, Part, Plan, Step
from headgate.control.costs.prices import UnitPrice

__all__ = ["plan_as_csv", "plan_as_json", "plan_lines"]

_TITLES = ("step", "tokens a day", "USD a day", "USD a month", "saved so far")
_GROWING = ("month", "conversations a day", "before USD", "after USD", "saved USD")


def plan_lines(found: Plan) -> Iterator[str]:
    """For people: assumptions, each step with its working, the table, the months."""
    yield click.style("Assumptions", bold=True)
    for text in _assumed(found.assumptions):
        yield f"  {text}"
    yield ""
    yield click.style("Step by step", bold=True)
    for number, step in enumerate(found.steps, start=1):
        yield f"  {number}. {_named(step, found.assumptions)}"
        for text in _working(step, found.assumptions):
            yield f"     {text}"
    yield ""
    yield aligned(_TITLES, [_row(step, found) for step in found.steps], last=_saved(found))
    calls = found.assumptions.conversations
    if calls:
        yield (
            f"\n  A conversation costs {money(found.before.usd_day / calls, fine=True)} USD now"
            + (
                f" and {money(found.after.usd_day / calls, fine=True)} USD after."
                if len(found.steps) > 1
                else "."
            )
        )
    if found.months:
        yield ""
        yield aligned(_GROWING, [*map(_month_row, found.months)], last=_all_months(found))


def _assumed(given: Assumptions) -> Iterator[str]:
    yield (
        f"{_count(given.conversations)} conversations a day x {_count(given.messages)} messages x "
        f"{_count(given.tokens)} tokens; all days alike, a month has 30"
    )
    yield "the tokens of a message are all that is sent for it and answered to it, history included"
    prices = list(dict.fromkeys([given.price, *(price for price, _ in given.shares)]))
    for price in prices:
        yield price.words if price.name == price.words else f"{price.name}: {price.words}"
    if any(price.prompt != price.answer for price in prices):
        yield f"{percent(given.answers)} of the tokens are answer; the provider's own prompt cache is not reckoned with"
    if given.tokens_after is not None:
        yield "prompt and answer become shorter alike"
    if given.cache:
        yield "what the cache answers costs nothing, and hits are spread evenly over all models"


def _named(step: Step, given: Assumptions) -> str:
    if step.measure == "now":
        return f"now, all at {given.price.name}"
    if step.measure == "tokens":
        return f"{_count(given.tokens)} -> {_count(given.tokens_after or Decimal(0))} tokens a message"
    if step.measure == "shares":
        return ", ".join(f"{percent(part.share)} at {part.price.name}" for part in step.parts)
    return f"{percent(given.cache)} answered by the cache"


def _working(step: Step, given: Assumptions) -> Iterator[str]:
    tokens = given.tokens if step.measure == "now" or given.tokens_after is None else given.tokens_after
    total = Decimal(0)
    for part in step.parts:
        total += part.usd
        yield (
            f"{_count(part.messages)} messages x {_count(tokens)} tokens = {_count(part.tokens)} tokens, "
            f"{_at(part, given)} = {money(part.usd)} USD a day"
        )
    if len(step.parts) > 1:
        yield f"together {' + '.join(money(part.usd) for part in step.parts)} = {money(total)} USD a day"
    yield f"x 30 = {money(step.usd_month)} USD a month"


def _at(part: Part, given: Assumptions) -> str:
    price = part.price
    if price.prompt == price.answer:
        return f"at {price.name}"
    prompt = part.tokens * (1 - given.answers)
    return f"{_count(prompt)} of them prompt, at {price.name}"


def _row(step: Step, found: Plan) -> list[str]:
    before = found.before.usd_day
    saved = percent((before - step.usd_day) / before) if before and step is not found.before else "-"
    return [
        _named(step, found.assumptions),
        _count(step.tokens),
        money(step.usd_day),
        money(step.usd_month),
        saved,
    ]


def _saved(found: Plan) -> list[str]:
    if len(found.steps) == 1:
        return []
    before, after = found.before, found.after
    return [
        "saved",
        _count(before.tokens - after.tokens),
        money(before.usd_day - after.usd_day),
        money(before.usd_month - after.usd_month),
        percent(found.saved_part),
    ]


def _month_row(month: Month) -> list[str]:
    return [
        str(month.number),
        _count(month.conversations),
        money(month.before),
        money(month.after),
        money(month.before - month.after),
    ]


def _all_months(found: Plan) -> list[str]:
    before = sum((month.before for month in found.months), Decimal(0))
    after = sum((month.after for month in found.months), Decimal(0))
    return ["all", "", money(before), money(after), money(before - after)]


def _count(amount: Decimal) -> str:
    """A number with its thousands apart; what is not whole, to two places."""
    whole = amount.to_integral_value()
    return f"{whole:,f}" if whole == amount else f"{amount:,.2f}"


def plan_as_csv(found: Plan) -> str:
    """A line for each step, all digits."""
    titles = ("step", "tokens_day", "usd_day", "usd_month", "saved_part")
    before = found.before.usd_day
    rows = [
        (
            _named(step, found.assumptions),
            _exact(step.tokens),
            _exact(step.usd_day),
            _exact(step.usd_month),
            f"{(before - step.usd_day) / before:.6f}" if before else "",
        )
        for step in found.steps
    ]
    return as_csv(titles, rows)


def plan_as_json(found: Plan) -> dict[str, Any]:
    """Everything that was reckoned, all digits, as text: a float would round them."""
    given = found.assumptions
    return {
        "assumptions": {
            "conversations_day": _exact(given.conversations),
            "messages": _exact(given.messages),
            "tokens": _exact(given.tokens),
            "tokens_after": None if given.tokens_after is None else _exact(given.tokens_after),
            "answers": _exact(given.answers),
            "cache": _exact(given.cache),
            "days_a_month": 30,
            "growth": _exact(given.growth),
            "price": _price_json(given.price),
        },
        "steps": [
            {
                "measure": step.measure,
                "step": _named(step, given),
                "tokens_day": _exact(step.tokens),
                "usd_day": _exact(step.usd_day),
                "usd_month": _exact(step.usd_month),
                "parts": [
                    {
                        "price": _price_json(part.price),
                        "share": _exact(part.share),
                        "messages_day": _exact(part.messages),
                        "tokens_day": _exact(part.tokens),
                        "usd_day": _exact(part.usd),
                    }
                    for part in step.parts
                ],
            }
            for step in found.steps
        ],
        "saved": {
            "usd_day": _exact(found.before.usd_day - found.after.usd_day),
            "usd_month": _exact(found.before.usd_month - found.after.usd_month),
            "part": f"{found.saved_part:.6f}",
        },
        "months": [
            {
                "month": month.number,
                "conversations_day": _exact(month.conversations),
                "usd_before": _exact(month.before),
                "usd_after": _exact(month.after),
            }
            for month in found.months
        ],
    }


def _price_json(price: UnitPrice) -> dict[str, str]:
    return {
        "name": price.name,
        "prompt_usd_per_mtok": _exact(price.prompt),
        "answer_usd_per_mtok": _exact(price.answer),
        "usd_per_message": _exact(price.per_message),
    }


def _exact(amount: Decimal) -> str:
    """All digits, none of them needless."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
