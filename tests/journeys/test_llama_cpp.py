"""A real llama.cpp server behind the gateway, the real SDKs in front of it: nobody here wrote either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import openai
import pytest
from pydantic import BaseModel

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.llama_cpp import llama_cpp
from tests.support.records import shown
from tests.support.sdks import Speaker, speakers

__all__: list[str] = []

MESSAGES: Any = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "How is the water in the canal?"},
]
CONFIG = """
[providers.llama]
kind = "openai"
base_url = "{chats}/v1"
self_hosted = true

[providers.llama_as_claude]
kind = "anthropic"
base_url = "{chats}"
self_hosted = true

[providers.llama_vectors]
kind = "openai"
base_url = "{vectors}/v1"
self_hosted = true

[models.house]
endpoints = [{{ provider = "llama", model = "tiny" }}]
price = {{ input = 1, output = 2, cache_read = 0.5 }}

[models.house-claude]
endpoints = [{{ provider = "llama_as_claude", model = "tiny" }}]
price = {{ input = 1, output = 2, cache_read = 0.5 }}

[models.vectors]
endpoints = [{{ provider = "llama_vectors", model = "tiny" }}]
"""
MODELS = pytest.mark.parametrize("model", ["house", "house-claude"])
"""The same server, spoken to in OpenAI's chats and in Anthropic's messages."""


class Reading(BaseModel):
    level: Literal["low", "high"]
    rising: bool


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with (
        llama_cpp(tmp_path_factory.mktemp("chats")) as chats,
        llama_cpp(tmp_path_factory.mktemp("vectors"), embeddings=True) as vectors,
        running_gateway(
            tmp_path_factory.mktemp("gateway"), CONFIG.format(chats=chats, vectors=vectors)
        ) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def _both(gateway: RunningGateway) -> Iterator[dict[str, Speaker]]:
    with speakers(gateway) as both:
        yield both


@pytest.fixture(params=["sync", "async"])
def sdk(request: pytest.FixtureRequest, _both: dict[str, Speaker]) -> Speaker:
    return _both[request.param]


@MODELS
def test_openai_chats_whole_and_streamed(model: str, sdk: Speaker, gateway: RunningGateway) -> None:
    """The same words both ways at temperature 0; usage, price and record are exact."""
    ask: dict[str, Any] = {"model": model, "messages": MESSAGES, "max_tokens": 24}
    if model == "house":
        ask["temperature"] = 0
    raw = sdk.get(sdk.openai.chat.completions.with_raw_response.create(**ask))
    whole = sdk.get(raw.parse())
    # Without the SDK's folding helper, which refuses answers that end at their length.
    chunks = sdk.events(
        sdk.openai.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True})
    )
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    text = whole.choices[0].message.content
    assert len([piece for piece in pieces if piece]) > 10
    assert len(text) > 10
    assert whole.choices[0].finish_reason == "length"
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "length"
    for usage in (whole.usage, chunks[-1].usage):
        assert (usage.completion_tokens, usage.prompt_tokens > 30) == (24, True)
    if model == "house":
        assert "".join(pieces) == text
    record = shown(gateway, raw.headers["x-request-id"])
    row = record.request
    assert (row.outcome, row.status, row.cost_label) == ("ok", 200, "exact")
    assert row.input_tokens + row.cache_read_tokens == whole.usage.prompt_tokens
    assert row.output_tokens == 24
    assert row.cost_nanos == 1000 * row.input_tokens + 500 * row.cache_read_tokens + 2000 * row.output_tokens
    assert record.reply_text == text


@MODELS
def test_anthropic_messages_whole_and_streamed(model: str, sdk: Speaker) -> None:
    """Through a translation, and as bytes that pass."""
    ask: dict[str, Any] = {"model": model, "system": "Be brief.", "messages": MESSAGES[1:], "max_tokens": 24}
    whole = sdk.get(sdk.anthropic.messages.create(**ask))
    events, folded = sdk.fold(sdk.anthropic.messages.stream(**ask), "get_final_message")
    assert len([event for event in events if event.type == "text"]) > 10
    for reply in (whole, folded):
        assert len(reply.content[0].text) > 10
        assert (reply.stop_reason, reply.usage.output_tokens) == ("max_tokens", 24)
        assert reply.usage.input_tokens + (reply.usage.cache_read_input_tokens or 0) > 30


def test_an_answer_follows_a_schema(sdk: Speaker) -> None:
    """llama.cpp samples along the schema; both SDKs and the responses API find their type in it."""
    ask: dict[str, Any] = {"model": "house", "messages": MESSAGES[1:], "max_tokens": 300}
    chat = sdk.get(sdk.openai.chat.completions.parse(**ask, response_format=Reading))
    assert isinstance(chat.choices[0].message.parsed, Reading)
    message = sdk.get(sdk.anthropic.messages.parse(**ask, output_format=Reading))
    assert isinstance(message.parsed_output, Reading)
    response = sdk.get(
        sdk.openai.responses.parse(
            model="house", input="The water?", text_format=Reading, max_output_tokens=300
        )
    )
    assert isinstance(response.output_parsed, Reading)


def test_a_response_is_streamed(sdk: Speaker) -> None:
    """The responses API over a server that is asked for a chat."""
    events = sdk.events(
        sdk.openai.responses.create(model="house", input="The water?", max_output_tokens=24, stream=True)
    )
    pieces = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert len(pieces) > 10
    assert events[-1].type == "response.incomplete"
    response = events[-1].response
    assert response.incomplete_details.reason == "max_output_tokens"
    assert response.output_text == "".join(pieces)
    assert response.usage.output_tokens == 24


def test_tokens_are_counted_by_the_server_itself(sdk: Speaker) -> None:
    """llama.cpp has Anthropic's count; it agrees with what it bills."""
    counted = sdk.get(sdk.anthropic.messages.count_tokens(model="house-claude", messages=MESSAGES[1:]))
    billed = sdk.get(
        sdk.anthropic.messages.create(model="house-claude", messages=MESSAGES[1:], max_tokens=1)
    ).usage
    assert counted.input_tokens == billed.input_tokens + (billed.cache_read_input_tokens or 0)


def test_texts_become_vectors(sdk: Speaker) -> None:
    """As numbers and packed, the same vectors."""
    create = sdk.openai.embeddings.create
    plain = sdk.get(create(model="vectors", input=["water", "gate"], encoding_format="float"))
    packed = sdk.get(create(model="vectors", input=["water", "gate"]))
    assert [len(one.embedding) for one in plain.data] == [64, 64]
    assert [one.embedding for one in packed.data] == [
        pytest.approx(one.embedding, abs=1e-5) for one in plain.data
    ]
    assert plain.usage.prompt_tokens > 0


def test_what_the_server_refuses_is_the_callers_error(sdk: Speaker) -> None:
    """A prompt longer than the model's context: llama.cpp's 400 arrives as one."""
    long: Any = [{"role": "user", "content": "z" * 9000}]
    with pytest.raises(openai.BadRequestError, match="context"):
        sdk.get(sdk.openai.chat.completions.create(model="house", messages=long, max_tokens=5))
