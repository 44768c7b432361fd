"""A price as people write it: `0.045/1k`, `0.15/M`, `0.15:0.60/M` (prompt : answer). Pure, Decimal throughout."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from headgate.core.money import nanos, usd
from headgate.providers.catalog.rates import Rates, Step

__all__ = ["UnitPrice", "looks_like_a_price", "parse_price", "price_of_rates", "rates_of_price"]

_MILLION = Decimal(1_000_000)
_PER = {"1k": Decimal(1000), "k": Decimal(1000), "1m": _MILLION, "m": _MILLION}
_AMOUNT = r"[0-9]{1,9}(?:\.[0-9]{1,12})?"
_PRICE = re.compile(rf"\$?({_AMOUNT})(?::\$?({_AMOUNT}))?\s*/\s*(1?[kKmM])")


@dataclass(frozen=True, slots=True)
class UnitPrice:
    """What tokens cost, in USD per million."""

    name: str
    """The model, or the price as it was written."""
    prompt: Decimal
    answer: Decimal
    per_message: Decimal = Decimal(0)
    """USD for each call, on top."""

    @property
    def words(self) -> str:
        """`45 USD per million tokens`."""
        flat = self.prompt == self.answer
        text = f"{_plain(self.prompt)} USD per million " + (
            "tokens" if flat else f"prompt tokens, {_plain(self.answer)} USD per million answer tokens"
        )
        return f"{text}, {_plain(self.per_message)} USD a message on top" if self.per_message else text


def looks_like_a_price(text: str) -> bool:
    """Is it a price rather than a model's name?"""
    return _PRICE.fullmatch(text.strip()) is not None


def parse_price(text: str) -> UnitPrice:
    """The price behind `0.045/1k` or `0.15:0.60/M`. Raises ValueError with what would be right."""
    found = _PRICE.fullmatch(text.strip())
    if found is None:
        raise ValueError(
            f"`{text}` is not a price; write USD per 1,000 or per million tokens: 0.045/1k, 0.15/M, "
            "or 0.15:0.60/M for prompt and answer"
        )
    times = _MILLION / _PER[found[3].lower()]
    prompt = Decimal(found[1]) * times
    return UnitPrice(text.strip(), prompt, Decimal(found[2]) * times if found[2] else prompt)


def price_of_rates(name: str, rates: Rates, *, prompt_tokens: int = 0) -> UnitPrice:
    """A list price for prompts of this length; cached and reasoning tokens are not told apart here."""
    step = rates.steps[0]
    for higher in rates.steps[1:]:
        if prompt_tokens > higher.over:
            step = higher
    return UnitPrice(name, usd(step.input), usd(step.output), usd(rates.per_request))


def rates_of_price(price: UnitPrice) -> Rates:
    """The same for every bucket: cached prompt tokens as prompt, reasoning as answer."""
    prompt, answer = nanos(price.prompt), nanos(price.answer)
    step = Step(
        input=prompt,
        output=answer,
        cache_read=prompt,
        cache_write=prompt,
        cache_write_1h=prompt,
        reasoning=answer,
    )
    return Rates((step,), per_request=nanos(price.per_message))


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
