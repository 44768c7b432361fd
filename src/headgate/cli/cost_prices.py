"""From what is typed after `--model` to a price: a price itself, a model of the configuration, or one of the price list."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headgate.cli.output import fail

if TYPE_CHECKING:
    from headgate.config.model import Settings
    from headgate.control.costs.whatif import Target
    from headgate.providers.catalog.book import PriceBook
    from headgate.providers.port import Endpoint

__all__ = ["target_of"]


def target_of(text: str, book: PriceBook, settings: Settings | None) -> Target:
    """What is meant, and its price at any moment. Ends the command with 2 if no price is known now.

    settings: the configuration, whose names and prices go before the list's; None: the list alone."""
    from headgate.control.costs.prices import looks_like_a_price, parse_price, rates_of_price
    from headgate.control.costs.whatif import Target

    if looks_like_a_price(text):
        flat = rates_of_price(parse_price(text))
        return Target(text.strip(), lambda when_ns: flat)  # noqa: ARG005 - a RatesAt
    target = _configured(text, book, settings) if settings is not None else None
    target = target or _listed(text, book)
    if target is None or target.rates_at(time.time_ns()) is None:
        fail(
            f"no price is known for `{text}`; name it as VENDOR/MODEL (openai/gpt-4o-mini), "
            "or say the price itself: 0.045/1k, 0.15:0.60/M",
            code=2,
        )
    return target


def _listed(text: str, book: PriceBook) -> Target | None:
    from headgate.control.costs.whatif import Target

    vendor, slash, model = text.partition("/")
    now = time.time_ns()
    if slash and book.rates(vendor, model, now) is not None:
        return Target(text, lambda when_ns: book.rates(vendor, model, when_ns))
    found = book.vendor_of(text)
    return Target(text, lambda when_ns: book.rates(found, text, when_ns)) if found else None


def _configured(text: str, book: PriceBook, settings: Settings) -> Target | None:
    from headgate.control.costs.whatif import Target
    from headgate.providers.catalog.rates import Rates

    endpoint = _endpoint(text, settings)
    if endpoint is None:
        return None
    own = endpoint.own_price
    if isinstance(own, Rates):
        return Target(text, lambda when_ns: own)  # noqa: ARG005 - a RatesAt
    return Target(text, lambda when_ns: book.rates(endpoint.price_key, endpoint.model, when_ns))


def _endpoint(text: str, settings: Settings) -> Endpoint | None:
    """Where a model of the configuration is reached first; None if it is not one."""
    from headgate.compose.places import endpoints_of
    from headgate.compose.providers import build_provider

    model = settings.models.get(text)
    written = model.endpoints[0] if model is not None else None
    provider, _, name = text.partition("/") if written is None else (written.provider, "", written.model)
    if not name or provider not in settings.providers:
        return None
    try:
        built = build_provider(settings.providers[provider])
    except (ValueError, OSError, ImportError) as wrong:
        fail(f"providers.{provider}: {wrong}", code=2)
    return endpoints_of(provider, built, name, written=written, price=model.price if model else None)[0]
