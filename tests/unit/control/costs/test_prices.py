"""Prices as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.control.costs.prices import looks_like_a_price, parse_price, price_of_rates, rates_of_price
from headgate.core.usage import Usage
from headgate.providers.catalog.charging import cost_nanos
from headgate.providers.catalog.rates import Rates, Step

__all__: list[str] = []


@pytest.mark.parametrize(
    ("text", "prompt", "answer"),
    [
        ("0.045/1k", "45", "45"),
        ("0.0015/k", "1.5", "1.5"),
        ("$0.15/M", "0.15", "0.15"),
        ("0.15:0.60/1M", "0.15", "0.60"),
        (" 2 / m ", "2", "2"),
        ("0/M", "0", "0"),
    ],
)
def test_a_price_is_per_thousand_or_per_million(text, prompt, answer):
    """One figure for all tokens, or two for prompt and answer."""
    found = parse_price(text)
    assert (found.prompt, found.answer) == (Decimal(prompt), Decimal(answer))
    assert looks_like_a_price(text)


@pytest.mark.parametrize(
    "text", ["", "0.045", "1k", "gpt-4o", "-1/M", "1e3/M", "0.1:/M", "nan/M", "openai/gpt-4o"]
)
def test_what_is_no_price_is_said_to_be_none(text):
    """With what would be right."""
    assert not looks_like_a_price(text)
    with pytest.raises(ValueError, match=r"0\.045/1k"):
        parse_price(text)


def test_a_long_prompt_has_the_price_of_long_prompts():
    """The step of the list that its length reaches."""
    step = {"cache_read": 0, "cache_write": 0, "cache_write_1h": 0, "reasoning": 0}
    rates = Rates(
        (
            Step(input=10**9, output=2 * 10**9, **step),
            Step(input=3 * 10**9, output=4 * 10**9, over=200, **step),
        ),
        7,
    )
    assert price_of_rates("x", rates, prompt_tokens=200).prompt == 1
    long = price_of_rates("x", rates, prompt_tokens=201)
    assert (long.prompt, long.answer, long.per_message) == (Decimal(3), Decimal(4), Decimal("0.000000007"))
    assert "4 USD per million answer tokens, 0.000000007 USD a message on top" in long.words


@given(st.decimals("0", "1000", places=6), st.decimals("0", "1000", places=6), st.integers(0, 10**6))
def test_a_price_prices_every_bucket(prompt, answer, tokens):
    """As a tariff: cached prompt tokens as prompt, reasoning as answer, to the nano-dollar."""
    rates = rates_of_price(parse_price(f"{prompt}:{answer}/M"))
    nanos_prompt = int(prompt * 10**9)
    assert (
        cost_nanos(rates, Usage(input=10**6))
        == cost_nanos(rates, Usage(cache_write_1h=10**6))
        == nanos_prompt
    )
    assert cost_nanos(rates, Usage(output=tokens)) == cost_nanos(rates, Usage(reasoning=tokens))
