"""What the operator says a model costs."""

from __future__ import annotations

from decimal import Decimal

from headgate.core.money import nanos
from headgate.core.section import Section
from headgate.providers.catalog.rates import Rates, Step

__all__ = ["PriceSettings", "own_rates"]


class PriceSettings(Section, frozen=True):
    """What a model costs here, in USD per million tokens, instead of the price list. Zero is a price too."""

    input: Decimal
    """Prompt tokens."""
    output: Decimal = Decimal(0)
    """Answer tokens."""
    cache_read: Decimal | None = None
    """Prompt tokens read from the provider's cache; as `input` if not given."""
    cache_write: Decimal | None = None
    """Prompt tokens written to the provider's cache; as `input` if not given."""
    cache_write_1h: Decimal | None = None
    """Prompt tokens written to the provider's one-hour cache; as `cache_write` if not given."""
    reasoning: Decimal | None = None
    """Reasoning tokens; as `output` if not given."""
    request: Decimal = Decimal(0)
    """USD for each request, on top: not per million."""

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value: Decimal | None = getattr(self, name)
            if value is not None and not (value.is_finite() and value >= 0):
                raise ValueError(
                    f"`{name} = {value}` is not a price: write USD per "
                    f"{'request' if name == 'request' else 'million tokens'}, 0 or more"
                )


def own_rates(price: PriceSettings) -> Rates:
    """The prices as `Endpoint.own_price` carries them."""
    cache_write = price.input if price.cache_write is None else price.cache_write
    return Rates(
        (
            Step(
                input=nanos(price.input),
                output=nanos(price.output),
                cache_read=nanos(price.input if price.cache_read is None else price.cache_read),
                cache_write=nanos(cache_write),
                cache_write_1h=nanos(cache_write if price.cache_write_1h is None else price.cache_write_1h),
                reasoning=nanos(price.output if price.reasoning is None else price.reasoning),
            ),
        ),
        per_request=nanos(price.request),
    )
