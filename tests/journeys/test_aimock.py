"""aimock behind the gateway: four vendors' wires as somebody else understood them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.mock_vendors import aimock
from tests.support.sdks import Speaker, speakers

__all__: list[str] = []

pytestmark = pytest.mark.needs("node")

TEXT = "Grüße from somebody else's mock. 🌊"
CITIES = ["Zürich", "Rome"]
FIXTURES: list[dict[str, Any]] = [
    {"match": {"userMessage": "hello"}, "response": {"content": TEXT}},
    {
        "match": {"userMessage": "weather"},
        "response": {"toolCalls": [{"name": "get_weather", "arguments": {"city": city}} for city in CITIES]},
    },
    {
        "match": {"userMessage": "busy"},
        "response": {"error": {"message": "slow down", "type": "rate_limit_error"}, "status": 429},
    },
    {"match": {"inputText": "one"}, "response": {"embedding": [0.5, 0.25]}},
]
CONFIG = """
[defaults]
retry = {{ attempts = 1 }}

[health]  # one gateway for many faults: what a row of them leads to has its own tests
failures = 1000000
least_calls = 1000000
probe = false

[providers.openai]
kind = "openai"
base_url = "{url}/v1"
responses = true

[providers.house]
kind = "openai"
base_url = "{url}/v1"

[providers.claude]
kind = "anthropic"
base_url = "{url}"
api_key = "none"

[providers.gemini]
kind = "gemini"
base_url = "{url}/v1beta"
api_key = "none"

[providers.bedrock]
kind = "bedrock"
region = "eu-central-1"
endpoint_url = "{url}"
access_key_id = "AKIATESTTESTTEST0000"
secret_access_key = "none"
"""
MODELS = [
    "openai/gpt-4.1",
    "house/llama-3-8b",
    "claude/claude-opus-4-7",
    "gemini/gemini-2.5-flash",
    "bedrock/some.model-v1:0",
]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda name: name.partition("/")[0])
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("aimock")
    with aimock(folder, FIXTURES) as url, running_gateway(folder, CONFIG.format(url=url)) as running:
        yield running


@pytest.fixture(scope="module")
def sdk(gateway: RunningGateway) -> Iterator[Speaker]:
    with speakers(gateway) as both:
        yield both["sync"]


def said(text: str) -> Any:
    return [{"role": "user", "content": text}]


@every_model
def test_chats(model: str, sdk: Speaker) -> None:
    """OpenAI's SDK: whole, streamed, tools in parallel."""
    create = sdk.openai.chat.completions.create
    assert create(model=model, messages=said("hello")).choices[0].message.content == TEXT
    chunks = list(create(model=model, messages=said("hello"), stream=True))
    pieces = [chunk.choices[0].delta.content for chunk in chunks]
    assert "".join(piece or "" for piece in pieces) == TEXT
    assert chunks[-1].choices[0].finish_reason == "stop"
    tools: Any = [{"type": "function", "function": {"name": "get_weather", "parameters": SCHEMA}}]
    ask: Any = {"model": model, "messages": said("weather"), "tools": tools}
    _, folded = sdk.fold(sdk.openai.chat.completions.stream(**ask), "get_final_completion")
    for reply in (create(**ask), folded):
        assert reply.choices[0].finish_reason == "tool_calls"
        calls = reply.choices[0].message.tool_calls
        assert [json.loads(call.function.arguments)["city"] for call in calls] == CITIES


@every_model
def test_messages(model: str, sdk: Speaker) -> None:
    """Anthropic's SDK: whole, streamed, tools in parallel."""
    ask: Any = {"model": model, "max_tokens": 50}
    create, stream = sdk.anthropic.messages.create, sdk.anthropic.messages.stream
    _, folded = sdk.fold(stream(**ask, messages=said("hello")), "get_final_message")
    for reply in (create(**ask, messages=said("hello")), folded):
        assert [block.text for block in reply.content] == [TEXT]
        assert reply.stop_reason == "end_turn"
    ask |= {"messages": said("weather"), "tools": [{"name": "get_weather", "input_schema": SCHEMA}]}
    _, folded = sdk.fold(stream(**ask), "get_final_message")
    for reply in (create(**ask), folded):
        assert [block.input["city"] for block in reply.content] == CITIES
        assert reply.stop_reason == "tool_use"


@every_model
def test_responses(model: str, sdk: Speaker) -> None:
    """OpenAI's newer API, passed on to the one provider that speaks it."""
    whole = sdk.openai.responses.create(model=model, input="hello")
    _, folded = sdk.fold(sdk.openai.responses.stream(model=model, input="hello"), "get_final_response")
    assert whole.output_text == folded.output_text == TEXT
    assert folded.status == "completed"


@every_model
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_rate_limit(model: str, stream: bool, sdk: Speaker) -> None:
    """Each vendor's 429 is both SDKs' RateLimitError, with the wait the provider named."""
    with pytest.raises(openai.RateLimitError) as raised:
        sdk.openai.chat.completions.create(model=model, messages=said("busy"), stream=stream)
    with pytest.raises(anthropic.RateLimitError) as refused:
        sdk.anthropic.messages.create(model=model, max_tokens=9, messages=said("busy"), stream=stream)
    for headers in (raised.value.response.headers, refused.value.response.headers):
        # The provider's own word, or how long its limit is known to hold by then.
        assert int(headers["retry-after"]) >= 1
        assert headers["x-should-retry"] == "false"


def test_vectors(sdk: Speaker) -> None:
    """As numbers; aimock has OpenAI's embeddings, not Gemini's in batches."""
    made = sdk.openai.embeddings.create(
        model="openai/text-embedding-3-small", input=["one"], encoding_format="float"
    )
    assert list(made.data[0].embedding) == [0.5, 0.25]
