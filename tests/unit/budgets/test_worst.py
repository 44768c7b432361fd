"""The most a call can cost."""

from __future__ import annotations

from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.budgets.worst import Size, size_of, thinking_room, worst_nanos
from headgate.core.messages import ChatRequest
from headgate.core.tokens import tokens_of_body
from headgate.core.usage import Usage
from headgate.edge.dialects.anthropic_messages import AnthropicMessages
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.dialect import Dialect
from headgate.exchange.exchange import Exchange
from headgate.providers.catalog.charging import DEAREST_NANOS, cost_nanos
from headgate.providers.catalog.rates import Rates, Step
from headgate.providers.catalog.settings import PriceSettings, own_rates

__all__: list[str] = []

AMOUNTS = st.integers(0, 10**12)
TOKENS = st.integers(0, 300_000)


@st.composite
def steps(draw: st.DrawFn) -> tuple[Step, ...]:
    """Prices with up to two steps, long prompts at no less."""
    prices = [draw(AMOUNTS) for _ in range(6)]
    found = [Step(*prices)]
    if draw(st.booleans()):
        found.append(
            msgspec.structs.replace(Step(*[each * 2 for each in prices]), over=draw(st.integers(1, 200_000)))
        )
    return tuple(found)


def exchange(body: bytes, dialect: Dialect | None = None) -> Exchange:
    return Exchange(
        id=1, dialect=dialect or OpenAIChat(), body=body, headers=[], received_at=0.0, started_ns=0
    )


@given(steps(), st.integers(0, 10**9), TOKENS, TOKENS, st.data())
def test_no_call_of_that_size_costs_more(
    prices: tuple[Step, ...], per_request: int, prompt: int, answer: int, data: st.DataObject
) -> None:
    """However the prompt is cached, and whatever of the answer is reasoning."""
    rates = Rates(prices, per_request)
    read = data.draw(st.integers(0, prompt))
    written = data.draw(st.integers(0, prompt - read))
    long = data.draw(st.integers(0, written))
    thought = data.draw(st.integers(0, answer))
    plain = Usage(input=prompt - read, cache_read=read, output=answer - thought, reasoning=thought)
    assert cost_nanos(rates, plain) <= worst_nanos(rates, Size(prompt), answer=answer)
    cached = Usage(
        input=prompt - read - written,
        cache_read=read,
        cache_write=written - long,
        cache_write_1h=long,
        output=answer - thought,
        reasoning=thought,
    )
    assert cost_nanos(rates, cached) <= worst_nanos(rates, Size(prompt, caches=True), answer=answer)


def test_a_price_for_each_request_is_part_of_it() -> None:
    """In USD, not per million."""
    rates = own_rates(PriceSettings(input=Decimal(1), output=Decimal(2), request=Decimal("0.01")))
    assert rates.per_request == 10_000_000
    assert worst_nanos(rates, Size(1000), answer=500) == 1_000_000 + 1_000_000 + 10_000_000
    assert cost_nanos(rates, Usage()) == 10_000_000


def test_several_answers_and_a_margin_multiply_what_they_are_about() -> None:
    """The prompt is billed once, each answer for itself; the estimate's margin is about the prompt alone."""
    rates = own_rates(PriceSettings(input=Decimal(1), output=Decimal(1)))
    assert worst_nanos(rates, Size(100, choices=3), answer=10, margin=1.25) == (125 + 30) * 1000


def test_a_long_prompt_costs_what_long_prompts_cost() -> None:
    """From the first token beyond the step, for all of them."""
    rates = Rates((Step(10**6, 0, 0, 0, 0, 0), Step(2 * 10**6, 0, 0, 0, 0, 0, over=100)))
    assert worst_nanos(rates, Size(100), answer=0) == 100
    assert worst_nanos(rates, Size(101), answer=0) == 202


def test_the_size_is_read_from_the_callers_bytes() -> None:
    """Tokens as estimated, and how many answers are wanted."""
    body = b'{"model":"m","messages":[{"role":"user","content":"How high is the water?"}],"n":4}'
    assert size_of(exchange(body)) == Size(tokens_of_body(body), choices=4)


@pytest.mark.parametrize("name", [b'"n"', b'"\\u006e"'])
def test_no_answer_is_hidden(name: bytes) -> None:
    """A key may be written with escapes: whoever does so is read in full."""
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],' + name + b":7}"
    assert size_of(exchange(body)).choices == 7


def test_what_writes_into_a_providers_cache_is_seen() -> None:
    """It costs more than a plain prompt."""
    body = (
        b'{"model":"m","max_tokens":5,"messages":[{"role":"user","content":'
        b'[{"type":"text","text":"x","cache_control":{"type":"ephemeral"}}]}]}'
    )
    assert size_of(exchange(body, AnthropicMessages())).caches
    assert not size_of(exchange(b'{"model":"m","messages":[]}')).caches


def test_pictures_and_conversations_elsewhere_are_not_taken_for_their_addresses() -> None:
    """Their tokens are not in the body: an amount is assumed."""
    picture = b'{"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x/y.png"}}]}]}'
    assert size_of(exchange(picture)).prompt == tokens_of_body(picture) + 1600
    kept = b'{"model":"m","input":"x","previous_response_id":"resp_1"}'
    assert size_of(exchange(kept, OpenAIResponses())).prompt > 100_000


def test_an_edited_request_counts_as_it_is_now() -> None:
    """A stage may have made it longer."""
    asked = exchange(b'{"model":"m","messages":[{"role":"user","content":"x"}]}')
    request = asked.request
    assert isinstance(request, ChatRequest)
    before = size_of(asked).prompt
    asked.edit(msgspec.structs.replace(request, messages=request.messages * 50, choices=2))
    after = size_of(asked, edited=True)
    assert after.prompt > 10 * before
    assert after.choices == 2


@pytest.mark.parametrize(
    ("budget", "effort", "room"),
    [(None, "", 0), (5000, "high", 5000), (None, "high", 16_384), (None, "more than ever", 32_000)],
)
def test_reasoning_may_come_on_top(budget: int | None, effort: str, room: int) -> None:
    """Where another wire counts it apart from the answer."""
    request = ChatRequest(model="m", messages=[], thinking_budget=budget, effort=effort)
    assert thinking_room(request) == room


@pytest.mark.parametrize(
    ("part", "most"),
    [
        ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}, 1_600),
        ({"type": "document", "source": {"type": "url", "url": "https://x/y.pdf"}}, 1_600),
        (
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "J" * 400_000},
            },
            100_000,
        ),
    ],
)
def test_what_is_seen_and_not_read_costs_more_than_its_letters(part: dict[str, object], most: int) -> None:
    """A picture of a few bytes may be a large one of a single colour; pages cost by what is on them."""
    body = msgspec.json.encode({"model": "m", "messages": [{"role": "user", "content": [part]}]})
    assert most < size_of(exchange(body, AnthropicMessages())).prompt < 1.1 * most + 200


@pytest.mark.parametrize("name", [b'"image_url":', b'"\\u0069mage\\u005Furl":'])
def test_no_picture_is_hidden(name: bytes) -> None:
    """Nor is anything else whose name is looked for."""
    body = (
        b'{"model":"m","messages":[{"role":"user","content":[{"type":"x",'
        + name
        + b'{"url":"https://x"}}]}]}'
    )
    assert size_of(exchange(body)).prompt > 1_600


@pytest.mark.parametrize(
    ("tools", "dialect"),
    [
        ({"tools": [{"type": "web_search_20250305", "name": "web_search"}]}, AnthropicMessages()),
        ({"mcp_servers": [{"type": "url", "name": "x"}]}, AnthropicMessages()),
        ({"tools": [{"type": "file_search", "vector_store_ids": ["vs_1"]}]}, OpenAIResponses()),
        ({"web_search_options": {}}, OpenAIChat()),
    ],
)
def test_what_the_providers_own_tools_find_is_part_of_the_prompt(
    tools: dict[str, object], dialect: Dialect
) -> None:
    """They run before it answers, and what they bring is read and billed. A function of the caller's own is not run there."""
    said = {"model": "m", "messages": [], "input": "x"}
    assert size_of(exchange(msgspec.json.encode(said | tools), dialect)).prompt > 100_000
    own = {"tools": [{"type": "function", "function": {"name": "web_search"}}]}
    assert size_of(exchange(msgspec.json.encode(said | own), dialect)).prompt < 100


def test_a_caller_who_asks_for_everything_is_no_overflow() -> None:
    """A budget that only watches lets the provider say no; what is set aside meanwhile must fit into a table."""
    rates = own_rates(PriceSettings(input=Decimal(1), output=Decimal(20)))
    assert worst_nanos(rates, Size(10, choices=2**31 - 1), answer=2**31 - 1) == DEAREST_NANOS
