"""What will it cost: conversations times messages times tokens times price, before and after, each step shown.

Pure arithmetic in Decimal, wide enough that nothing is rounded before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext

from headgate.control.costs.prices import UnitPrice

__all__ = ["DAYS_A_MONTH", "Assumptions", "Month", "Part", "Plan", "Step", "plan"]

DAYS_A_MONTH = 30
_MILLION = Decimal(1_000_000)
_ONE = Decimal(1)
_WIDE = Context(prec=60)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What is taken to be so. Parts are between 0 and 1."""

    conversations: Decimal
    """A day."""
    messages: Decimal
    """In a conversation; each is one call of a model."""
    tokens: Decimal
    """Of a message: all that is sent for it and answered to it, history included."""
    price: UnitPrice
    """What all of it costs now."""
    answers: Decimal = Decimal("0.25")
    """The part of the tokens that is answer."""
    tokens_after: Decimal | None = None
    """Of a message, after compression; None: as many as now."""
    shares: Sequence[tuple[UnitPrice, Decimal]] = ()
    """(where it goes instead, its part of the traffic). What they leave of the whole stays where it is now."""
    cache: Decimal = Decimal(0)
    """The part of the messages that is answered from a cache, for nothing."""
    growth: Decimal = Decimal(0)
    """By how much each month has more conversations than the one before."""
    months: int = 12
    """How many are looked at, if they grow."""

    def __post_init__(self) -> None:
        for name in ("conversations", "messages", "tokens", "tokens_after"):
            value = getattr(self, name)
            if value is not None and not (value.is_finite() and value >= 0):
                raise ValueError(f"{name} = {value}: write 0 or more")
        for name, value in (
            ("answers", self.answers),
            ("cache", self.cache),
            *(("share", part) for _, part in self.shares),
        ):
            if not (value.is_finite() and 0 <= value <= 1):
                raise ValueError(f"{name} = {value}: write a part between 0 and 1, such as 0.3")
        if sum(part for _, part in self.shares) > 1:
            raise ValueError("the shares are more than the whole: together they may be 1 at most")
        if not (self.growth.is_finite() and self.growth > -1):
            raise ValueError(f"growth = {self.growth}: write a part, such as 0.1 for a tenth more each month")


@dataclass(frozen=True, slots=True)
class Part:
    """The traffic at one price."""

    price: UnitPrice
    share: Decimal
    messages: Decimal
    """A day; only those that are paid for."""
    tokens: Decimal
    """A day."""
    usd: Decimal
    """A day."""


@dataclass(frozen=True, slots=True)
class Step:
    """The bill after one more measure, all earlier ones included."""

    measure: str
    """now, tokens, shares or cache."""
    parts: Sequence[Part]
    tokens: Decimal
    """Tokens that are paid for, a day."""
    usd_day: Decimal
    usd_month: Decimal
    """Of 30 days."""


@dataclass(frozen=True, slots=True)
class Month:
    """A month of growing traffic."""

    number: int
    conversations: Decimal
    """A day."""
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer. The first step is what it costs now, the last what it costs with all measures."""

    assumptions: Assumptions
    steps: Sequence[Step]
    months: Sequence[Month]

    @property
    def before(self) -> Step:
        return self.steps[0]

    @property
    def after(self) -> Step:
        return self.steps[-1]

    @property
    def saved_part(self) -> Decimal:
        """The part of today's bill that is saved; negative if it costs more."""
        before = self.before.usd_day
        return (before - self.after.usd_day) / before if before else Decimal(0)


def plan(given: Assumptions) -> Plan:
    """Reckon it. Measures in the order in which they work on each other: fewer tokens, other models, a cache."""
    with localcontext(_WIDE):
        steps = list(_steps(given))
        return Plan(given, steps, list(_months(given, steps[0], steps[-1])))


def _steps(given: Assumptions) -> Iterator[Step]:
    messages = given.conversations * given.messages
    split: list[tuple[UnitPrice, Decimal]] = [(given.price, _ONE)]
    yield _step("now", split, messages, given.tokens, given.answers)
    tokens = given.tokens
    if given.tokens_after is not None:
        tokens = given.tokens_after
        yield _step("tokens", split, messages, tokens, given.answers)
    if given.shares:
        rest = _ONE - sum((part for _, part in given.shares), Decimal(0))
        split = [*given.shares, *([(given.price, rest)] if rest else [])]
        yield _step("shares", split, messages, tokens, given.answers)
    if given.cache:
        yield _step("cache", split, messages * (_ONE - given.cache), tokens, given.answers)


def _step(
    measure: str,
    split: Sequence[tuple[UnitPrice, Decimal]],
    messages: Decimal,
    tokens: Decimal,
    answers: Decimal,
) -> Step:
    parts = []
    for price, share in split:
        of_it = messages * share
        amount = of_it * tokens
        per_million = price.prompt * (_ONE - answers) + price.answer * answers
        cost = amount * per_million / _MILLION + of_it * price.per_message
        parts.append(Part(price, share, of_it, amount, cost))
    day = sum((part.usd for part in parts), Decimal(0))
    return Step(measure, parts, sum((part.tokens for part in parts), Decimal(0)), day, day * DAYS_A_MONTH)


def _months(given: Assumptions, before: Step, after: Step) -> Iterator[Month]:
    if given.growth:
        times = _ONE
        for number in range(1, given.months + 1):
            yield Month(
                number, given.conversations * times, before.usd_month * times, after.usd_month * times
            )
            times *= _ONE + given.growth
