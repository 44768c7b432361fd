"""The vendors' own SDKs read what the simulated provider writes: its bytes are theirs, not only ours."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import httpx2
import openai
import pytest
from pydantic import BaseModel

from headgate.providers.simulated.server import SimulatedServer
from tests.support.aio import aio
from tests.support.simulated import STEADY

__all__: list[str] = []

ASK: Any = [{"role": "user", "content": "What is the weather in Paris and in Rome?"}]
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
CHAT_TOOLS: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": CITY}}]
TOOLS: Any = [{"name": "get_weather", "input_schema": CITY}]
FLAT_TOOLS: Any = [{"type": "function", "name": "get_weather", "parameters": CITY, "strict": False}]


class _Body(httpx2.AsyncByteStream):
    def __init__(self, pieces: AsyncIterator[bytes]) -> None:
        self._pieces = pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._pieces:
            yield piece


class _Wire(httpx2.AsyncBaseTransport):
    """Hands the SDK's requests to the simulated provider without a socket."""

    def __init__(self) -> None:
        self._server = SimulatedServer(STEADY)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        target = request.url.raw_path.decode()
        answered = await self._server.answer(
            request.method, target, request.headers.raw, await request.aread()
        )
        status, headers, pieces = answered
        return httpx2.Response(status, headers=list(headers), stream=_Body(pieces))


def open_ai() -> openai.AsyncOpenAI:
    client = httpx2.AsyncClient(transport=_Wire())
    return openai.AsyncOpenAI(
        api_key="none", base_url="http://simulated.invalid/v1", max_retries=0, http_client=client
    )


def claude() -> anthropic.AsyncAnthropic:
    client = httpx2.AsyncClient(transport=_Wire())
    return anthropic.AsyncAnthropic(
        api_key="none", base_url="http://simulated.invalid", max_retries=0, http_client=client
    )


class Weather(BaseModel):
    city: str
    degrees: int


@aio
async def test_openai_chat_whole_and_streamed() -> None:
    """Text, usage and the SDK's own folding of a stream."""
    client = open_ai()
    whole = await client.chat.completions.create(model="steady", messages=ASK)
    async with client.chat.completions.stream(
        model="steady", messages=ASK, stream_options={"include_usage": True}
    ) as stream:
        folded = await stream.get_final_completion()
    assert whole.choices[0].message.content == folded.choices[0].message.content
    assert whole.choices[0].finish_reason == folded.choices[0].finish_reason == "stop"
    assert whole.usage == folded.usage


@aio
async def test_openai_chat_tools() -> None:
    """Calls in parallel, whole and folded from deltas."""
    client = open_ai()
    whole = await client.chat.completions.create(model="steady", messages=ASK, tools=CHAT_TOOLS)
    async with client.chat.completions.stream(model="steady", messages=ASK, tools=CHAT_TOOLS) as stream:
        folded = await stream.get_final_completion()
    for reply in (whole, folded):
        calls = reply.choices[0].message.tool_calls or []
        assert [json.loads(call.function.arguments)["city"] for call in calls] == ["Paris", "Rome"]  # type: ignore[union-attr]


@aio
async def test_openai_structured_output() -> None:
    """`parse` finds an instance of the caller's own model."""
    parsed = await open_ai().chat.completions.parse(model="steady", messages=ASK, response_format=Weather)
    assert parsed.choices[0].message.parsed is not None
    assert parsed.choices[0].message.parsed.city == "Paris"


@aio
async def test_openai_responses_whole_and_streamed() -> None:
    """The SDK's state machine accepts the order of the events."""
    client = open_ai()
    whole = await client.responses.create(
        model="steady", input="How do I bake bread?", reasoning={"effort": "low"}
    )
    async with client.responses.stream(
        model="steady", input="How do I bake bread?", reasoning={"effort": "low"}
    ) as stream:
        kinds = [event.type async for event in stream]
        folded = await stream.get_final_response()
    assert whole.output_text == folded.output_text != ""
    assert whole.usage == folded.usage
    assert [item.type for item in folded.output] == ["reasoning", "message"]
    assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


@aio
async def test_openai_responses_tools() -> None:
    """Function calls, whole and folded."""
    client = open_ai()
    question = ASK[0]["content"]
    whole = await client.responses.create(model="steady", input=question, tools=FLAT_TOOLS)
    async with client.responses.stream(model="steady", input=question, tools=FLAT_TOOLS) as stream:
        folded = await stream.get_final_response()
    for reply in (whole, folded):
        assert [json.loads(item.arguments)["city"] for item in reply.output] == ["Paris", "Rome"]  # type: ignore[union-attr, arg-type]


@aio
async def test_openai_embeddings_and_models() -> None:
    """The SDK asks for base64 by itself."""
    client = open_ai()
    made = await client.embeddings.create(model="sim-embed", input=["one", "two"], dimensions=16)
    assert [len(one.embedding) for one in made.data] == [16, 16]
    assert "sim-embed" in [model.id async for model in client.models.list()]


@aio
async def test_anthropic_messages_whole_and_streamed() -> None:
    """With thinking, and the SDK's own folding."""
    client = claude()
    asked: Any = {
        "model": "steady",
        "max_tokens": 2000,
        "messages": [{"role": "user", "content": "How do I bake bread?"}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    whole = await client.messages.create(**asked)
    async with client.messages.stream(**asked) as stream:
        folded = await stream.get_final_message()
    assert [block.type for block in whole.content] == ["thinking", "text"]
    assert whole.content[1].text == folded.content[1].text  # type: ignore[union-attr]
    assert whole.content[0].thinking == folded.content[0].thinking  # type: ignore[union-attr]
    assert (whole.usage.output_tokens, whole.stop_reason) == (folded.usage.output_tokens, folded.stop_reason)


@aio
async def test_anthropic_tools_and_counting() -> None:
    """Calls in parallel, whole and folded; the count of the same request."""
    client = claude()
    whole = await client.messages.create(model="steady", max_tokens=900, messages=ASK, tools=TOOLS)
    async with client.messages.stream(model="steady", max_tokens=900, messages=ASK, tools=TOOLS) as stream:
        folded = await stream.get_final_message()
    for reply in (whole, folded):
        assert [block.input["city"] for block in reply.content] == ["Paris", "Rome"]  # type: ignore[union-attr]
        assert reply.stop_reason == "tool_use"
    counted = await client.messages.count_tokens(model="steady", messages=ASK, tools=TOOLS)
    assert counted.input_tokens == whole.usage.input_tokens


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        ("rate_limit", "RateLimitError"),
        ("auth_401", "AuthenticationError"),
        ("model_unknown", "NotFoundError"),
        ("context_length", "BadRequestError"),
        ("error_500", "InternalServerError"),
        ("overloaded_503", "InternalServerError"),
    ],
)
@aio
async def test_refusals_are_the_sdks_own_errors(fault: str, name: str) -> None:
    """Class by class, in both families."""
    headers = {"x-headgate-fault": fault}
    with pytest.raises(getattr(openai, name)):
        await open_ai().chat.completions.create(model="steady", messages=ASK, extra_headers=headers)
    with pytest.raises(anthropic.APIStatusError) as refused:
        await claude().messages.create(model="steady", max_tokens=9, messages=ASK, extra_headers=headers)
    assert isinstance(refused.value, getattr(anthropic, name)) or fault == "overloaded_503"


@aio
async def test_an_error_inside_a_stream_is_raised_by_the_sdks() -> None:
    """After what was said before it."""
    headers = {"x-headgate-fault": "error_in_stream:2"}
    with pytest.raises(openai.APIError):
        async for _ in await open_ai().chat.completions.create(
            model="steady", messages=ASK, stream=True, extra_headers=headers
        ):
            pass
    with pytest.raises(anthropic.APIError):
        async for _ in await claude().messages.create(
            model="steady", max_tokens=9, messages=ASK, stream=True, extra_headers=headers
        ):
            pass
