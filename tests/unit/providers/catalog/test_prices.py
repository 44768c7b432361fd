"""Prices: ours equal the library's for every kind of tariff, on every day; the operator's word goes first."""

from __future__ import annotations

import random
import warnings
from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest
from genai_prices import Usage as LibraryUsage
from genai_prices import calc_price
from genai_prices.data import providers
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.money import nanos, usd
from headgate.core.section import decode_value
from headgate.core.usage import Usage
from headgate.providers.catalog.book import PriceBook
from headgate.providers.catalog.charging import DEAREST_NANOS, cost_nanos, prompt_cache_nanos
from headgate.providers.catalog.rates import Rates, Step
from headgate.providers.catalog.settings import PriceSettings, own_rates

__all__: list[str] = []

NOW = datetime(2026, 11, 1, 15, 0, tzinfo=UTC)


def ns(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


@pytest.fixture(scope="module")
def book() -> PriceBook:
    made = PriceBook()
    made.load()
    return made


def by_the_library(provider: str, model: str, usage: Usage, when: datetime) -> int:
    """The whole sum as the library computes it."""
    asked = LibraryUsage(
        input_tokens=usage.prompt,
        cache_read_tokens=usage.cache_read,
        cache_write_tokens=usage.cache_write + usage.cache_write_1h,
        cache_write_1h_tokens=usage.cache_write_1h,
        output_tokens=usage.completion,
        output_reasoning_tokens=usage.reasoning,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return nanos(calc_price(asked, model, provider_id=provider, genai_request_timestamp=when).total_price)


@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "google", "aws", "azure", "mistral", "deepseek", "x-ai", "groq"]
)
@pytest.mark.parametrize("when", [NOW, datetime(2025, 1, 1, 3, 0, tzinfo=UTC)])
def test_a_cost_is_what_the_library_says(book: PriceBook, provider: str, when: datetime) -> None:
    """Buckets, long prompts, cache prices, prices by date and by hour: to the nano-dollar."""
    chance = random.Random(provider)
    models = next(each.models for each in providers if each.id == provider)
    compared = 0
    for model in models:
        rates = book.rates(provider, model.id, ns(when))
        if rates is None:
            continue
        for prompt in (50, 400_000):
            usage = Usage(
                input=chance.randrange(prompt),
                cache_read=chance.randrange(2000),
                cache_write=chance.randrange(2000),
                output=chance.randrange(3000),
                reasoning=chance.randrange(500),
                cache_write_1h=chance.randrange(500),
            )
            assert cost_nanos(rates, usage) == by_the_library(provider, model.id, usage, when), model.id
            compared += 1
    assert compared > 10


def test_a_price_is_that_of_the_day_the_request_was_sent(book: PriceBook) -> None:
    """o3 became five times cheaper on 2025-06-10; rows of the day before keep the old price."""
    usage = Usage(input=1_000_000)
    before = book.rates("openai", "o3", ns(datetime(2025, 6, 9, 23, 59, 59, tzinfo=UTC)))
    after = book.rates("openai", "o3", ns(datetime(2025, 6, 10, tzinfo=UTC)))
    assert before and after
    assert usd(cost_nanos(before, usage)) == 10
    assert usd(cost_nanos(after, usage)) == 2


def test_the_list_is_read_when_somebody_asks_for_a_price() -> None:
    """Where operators name all prices it stays on the disk."""
    fresh = PriceBook()
    fresh.catch_up()
    assert not fresh.loaded
    assert fresh.peek("openai", "gpt-4o-mini", ns(NOW)) is None
    fresh.catch_up()
    assert fresh.loaded and fresh.peek("openai", "gpt-4o-mini", ns(NOW)) is not None


def test_peek_never_asks_the_library(book: PriceBook) -> None:
    """On the request path a price is there or it is not; asking makes it be there next time."""
    fresh = PriceBook()
    assert fresh.peek("openai", "gpt-4o-mini", ns(NOW)) is None
    fresh.resolve()
    assert not fresh.loaded and fresh.peek("openai", "gpt-4o-mini", ns(NOW)) is None
    fresh.load()
    assert fresh.peek("openai", "gpt-4o-mini", ns(NOW)) == book.rates("openai", "gpt-4o-mini", ns(NOW))
    fresh.prefetch([("anthropic", "claude-sonnet-4-5"), ("openai", "gpt-4o-mini")])
    fresh.resolve()
    assert fresh.peek("anthropic", "claude-sonnet-4-5", ns(NOW)) is not None


def test_a_tariff_by_the_hour_is_left_to_the_writer(book: PriceBook) -> None:
    """Such prices are asked for each row; the request path shows none."""
    by_the_hour = [
        (provider.id, model.id)
        for provider in providers
        for model in provider.models
        if isinstance(model.prices, list) and any(hasattr(c.constraint, "start_time") for c in model.prices)
    ]
    assert by_the_hour
    for provider, model in by_the_hour:
        assert book.rates(provider, model, ns(NOW)) is not None
        assert book.peek(provider, model, ns(NOW)) is None


def test_the_kinds_of_our_providers_are_known_to_the_list(book: PriceBook) -> None:
    """An endpoint is priced by its adapter's kind unless the configuration says otherwise."""
    for kind, model in (
        ("openai", "gpt-4o-mini"),
        ("anthropic", "claude-sonnet-4-5"),
        ("gemini", "gemini-2.5-flash"),
        ("azure-openai", "gpt-4o-mini"),
        ("bedrock", "eu.anthropic.claude-sonnet-4-5-20250929-v1:0"),
    ):
        assert book.rates(kind, model, ns(NOW)) is not None, kind


@pytest.mark.parametrize(
    ("provider", "model"), [("", "gpt-4o"), ("openai", ""), ("openai", "gpt-none"), ("house", "gpt-4o")]
)
def test_what_is_not_listed_has_no_price(book: PriceBook, provider: str, model: str) -> None:
    """None, which is recorded as unknown."""
    assert book.rates(provider, model, ns(NOW)) is None
    assert book.peek(provider, model, ns(NOW)) is None


def test_a_long_prompt_moves_the_whole_request_to_the_higher_step() -> None:
    """Exactly at the threshold the lower price still holds."""
    step = Step(1, 2, 3, 4, 5, 6)
    rates = Rates((step, msgspec.structs.replace(step, input=10_000_000, output=20_000_000, over=200)))
    assert cost_nanos(rates, Usage(input=200, output=1)) == 0
    assert cost_nanos(rates, Usage(input=201, output=1)) == 201 * 10 + 20
    assert cost_nanos(rates, Usage(input=100, cache_read=101)) == 1000


@given(st.integers(0, 10**7), st.integers(0, 10**11))
def test_a_cost_is_rounded_once_and_half_to_even(tokens: int, price: int) -> None:
    """As Decimal would."""
    step = Step(price, 0, 0, 0, 0, 0)
    exact = Decimal(tokens) * Decimal(price) / 1_000_000
    assert cost_nanos(Rates((step,)), Usage(input=tokens)) == int(
        exact.to_integral_value(rounding="ROUND_HALF_EVEN")
    )


def test_an_operators_price_fills_what_it_does_not_say() -> None:
    """Cached tokens cost as input, reasoning as output, the long cache as the short one."""
    plain = own_rates(PriceSettings(input=Decimal("0.15"), output=Decimal("0.6"))).steps[0]
    assert plain == Step(150_000_000, 600_000_000, 150_000_000, 150_000_000, 150_000_000, 600_000_000)
    full = own_rates(
        PriceSettings(
            input=Decimal(3),
            output=Decimal(15),
            cache_read=Decimal("0.3"),
            cache_write=Decimal("3.75"),
            reasoning=Decimal(0),
        )
    ).steps[0]
    assert full == Step(3 * 10**9, 15 * 10**9, 3 * 10**8, 375 * 10**7, 375 * 10**7, 0)


def test_zero_is_a_price() -> None:
    """A house model may be free, and says so with a number."""
    assert cost_nanos(own_rates(PriceSettings(input=Decimal(0))), Usage(input=5, output=5)) == 0


@pytest.mark.parametrize("price", ["-1", "NaN", "Infinity"])
def test_what_is_no_price_is_refused(price: str) -> None:
    """With the name of the field and what would be right."""
    with pytest.raises(msgspec.ValidationError, match=r"`output = .*` is not a price"):
        msgspec.convert({"input": 1, "output": price}, PriceSettings, dec_hook=decode_value, strict=False)


def test_a_model_tells_whose_it_is_by_its_name(book: PriceBook) -> None:
    """For people who type it without the vendor; nobody's is nobody's."""
    assert [
        book.vendor_of(name) for name in ("gpt-4o-mini", "Claude-3-5-haiku-latest", "gemini-2.0-flash")
    ] == [
        "openai",
        "anthropic",
        "google",
    ]
    assert book.vendor_of("no-such-model-anywhere") == ""


def test_what_a_prompt_cache_saves_is_told_apart_from_what_it_costs_on_top() -> None:
    """Reading at a tenth, writing for a quarter more, for an hour twice: each against the price of other tokens."""
    rates = own_rates(
        PriceSettings(
            input=Decimal(3),
            cache_read=Decimal("0.3"),
            cache_write=Decimal("3.75"),
            cache_write_1h=Decimal(6),
        )
    )
    usage = Usage(input=50, cache_read=1_000_000, cache_write=200_000, cache_write_1h=100_000, output=9)
    assert prompt_cache_nanos(rates, usage) == (2_700_000_000, 150_000_000 + 300_000_000)
    plain = Usage(input=usage.prompt, output=9)
    saved, extra = prompt_cache_nanos(rates, usage)
    assert cost_nanos(rates, plain) - cost_nanos(rates, usage) == saved - extra
    assert prompt_cache_nanos(rates, plain) == (0, 0)


def test_where_the_cache_has_no_price_of_its_own_it_saves_nothing() -> None:
    """Its tokens cost what others do."""
    rates = own_rates(PriceSettings(input=Decimal(3)))
    assert prompt_cache_nanos(rates, Usage(cache_read=500, cache_write=500)) == (0, 0)


def test_savings_on_a_long_prompt_are_reckoned_at_its_own_step() -> None:
    """As its cost is; and a server that reports nonsense does not stop the writer."""
    low = Step(input=10, output=0, cache_read=1, cache_write=10, cache_write_1h=10, reasoning=0)
    high = Step(
        input=40, output=0, cache_read=4, cache_write=40, cache_write_1h=40, reasoning=0, over=1_000_000
    )
    rates = Rates((low, high))
    assert prompt_cache_nanos(rates, Usage(cache_read=1_000_000)) == (9, 0)
    assert prompt_cache_nanos(rates, Usage(cache_read=2_000_000)) == (72, 0)
    assert prompt_cache_nanos(rates, Usage(cache_read=10**30)) == (DEAREST_NANOS, 0)
