"""What callers and operators are told of budgets, in words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import ROUND_DOWN, ROUND_UP, Decimal

from headgate.budgets.plan import Rule
from headgate.core.errors import BudgetSpent, PriceUnknown, TooDearForBudget
from headgate.core.money import usd

__all__ = [
    "amount_text",
    "moment_text",
    "price_unknown",
    "set_aside",
    "spent",
    "standing_text",
    "too_dear",
    "usd_text",
    "whose_text",
]

_PER = {
    "request": " a request",
    "day": " a day",
    "week": " a week",
    "month": " a month",
    "prepaid": " prepaid",
}
_SMALL = Decimal("0.000001")
BUSY_SECONDS = 1.0
"""When to try again if only what is set aside for others is in the way: nobody knows when they end."""


def usd_text(nanos: int, *, up: bool = False) -> str:
    """`0.0031`: millionths of a dollar at the least, in favour of whoever keeps the sum."""
    value = usd(nanos)
    rounded = value.quantize(_SMALL, rounding=ROUND_UP if up else ROUND_DOWN)
    text = f"{rounded:f}"
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"


def amount_text(rule: Rule) -> str:
    """`500 USD a month for each user`."""
    return f"{usd_text(rule.amount)} USD{_PER[rule.settings.per]}{whose_text(rule)}"


def whose_text(rule: Rule) -> str:
    """` for each user`; nothing where a request is paid for itself."""
    settings = rule.settings
    if rule.alone:
        return ""
    if not settings.each:
        return " for all together"
    of = settings.of
    return f" for each {f'tag `{of[4:].strip()}`' if of.startswith('tag:') else of}"


def moment_text(second: int) -> str:
    """`2026-12-01T00:00:00Z`."""
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def standing_text(rule: Rule, fraction: float, ends: int) -> bytes:
    """`NAME; used=0.83; resets=2026-12-01T00:00:00Z`."""
    resets = f"; resets={moment_text(ends)}" if ends else ""
    # Rounded down: 1 is said only when all of it is spent.
    return f"{rule.name}; used={int(fraction * 100) / 100:g}{resets}".encode()


def spent(rule: Rule, *, left: int, wanted: int, ends: int, second: int) -> BudgetSpent:
    """The refusal of a request for which there is no money left. left, wanted: nano-dollars; ends: of the period."""
    if rule.prepaid:
        when, retry_after = "there is money again when somebody deposits some", None
    else:
        when, retry_after = f"there is money again at {moment_text(ends)}", float(max(ends - second, 1))
    what = amount_text(rule) if not rule.prepaid else f"prepaid{whose_text(rule)}"
    return BudgetSpent(
        f"budget `{rule.name}` ({what}) does not pay for this request: {usd_text(max(left, 0))} USD are left, and it may "
        f"cost {usd_text(wanted, up=True)} USD; {when}; a smaller `max_tokens`, a shorter prompt or a cheaper model may fit",
        budget=rule.name,
        retry_after=retry_after,
    )


def set_aside(rule: Rule, *, reserved: int, wanted: int, waited: float) -> BudgetSpent:
    """The refusal of a request that only others' calls are in the way of."""
    after = f"; the request waited {waited:g} s for it" if waited else ""
    return BudgetSpent(
        f"budget `{rule.name}` ({amount_text(rule)}): what is left is set aside for requests under way "
        f"({usd_text(reserved, up=True)} USD), and this one may cost {usd_text(wanted, up=True)} USD{after}; some of it is free "
        "again as soon as one of them ends",
        budget=rule.name,
        retry_after=BUSY_SECONDS,
    )


def too_dear(rule: Rule, *, most: int, wanted: int) -> TooDearForBudget:
    """The refusal of a request that costs more than there ever is."""
    attempts = " with all its attempts" if rule.alone else ""
    return TooDearForBudget(
        f"budget `{rule.name}` pays {usd_text(most)} USD{_PER[rule.settings.per]}{whose_text(rule)}, and this request may cost "
        f"{usd_text(wanted, up=True)} USD{attempts}; ask for fewer tokens (`max_tokens`), send a shorter prompt, or ask for a "
        "cheaper model",
        budget=rule.name,
        param="max_tokens",
    )


def price_unknown(rule: Rule, *, provider: str, model: str) -> PriceUnknown:
    """The refusal of a request of which nobody can tell what it will cost."""
    return PriceUnknown(
        f"budget `{rule.name}` refuses what has no price, and none is known of `{provider}/{model}`; the operator can write one, "
        f'`price = {{ input = …, output = … }}` at its endpoint (0 if it is free), or `unknown_price = "allow"` at the budget',
        budget=rule.name,
    )
