"""What is to be kept is said as each vendor wants it said, and nothing else of a request changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anthropic.types
import botocore.session
import msgspec
import openai.types.chat
import openai.types.responses
import pytest
from botocore.validate import ParamValidator
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from headgate.providers.adapters.azure_openai import AzureOpenAIAdapter, AzureOpenAISettings
from headgate.providers.adapters.openai import OpenAIAdapter, OpenAISettings
from headgate.providers.port import Marking, Marks
from headgate.providers.wires.anthropic_messages import AnthropicMessages
from headgate.providers.wires.bedrock_converse import BedrockConverse
from headgate.providers.wires.claude import least_kept
from headgate.providers.wires.gemini import GeminiGenerate
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_responses import OpenAIResponses

__all__: list[str] = []

GOLDEN = Path(__file__).parents[2] / "golden"
MUCH: dict[str, Any] = {
    "tools_tokens": 9_000,
    "instructions_tokens": 9_000,
    "history_tokens": 9_000,
    "tokens": 9_000,
}
ALL = Marks(tools=True, instructions=True, history=True, conversation=True, key="headgate-x")


def cases(vendor: str) -> Any:
    read = json.loads((GOLDEN / vendor / "marks.json").read_text())
    return pytest.mark.parametrize("case", read, ids=[case["about"] for case in read])


def encoded(body: Any) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


@cases("anthropic")
def test_anthropic_is_told_on_a_block(case):
    """As the golden file has it."""
    marks = Marks(**case["marks"], **MUCH)
    assert (
        json.loads(AnthropicMessages().mark(encoded(case["body"]), "claude-sonnet-5", marks))
        == case["marked"]
    )


@cases("anthropic")
def test_the_sdk_of_anthropic_knows_what_is_sent(case):
    """Its own types take the marked parts."""
    marked = case["marked"]
    for turn in marked["messages"]:
        TypeAdapter(anthropic.types.MessageParam).validate_python(turn)
    if isinstance(marked.get("system"), list):
        TypeAdapter(list[anthropic.types.TextBlockParam]).validate_python(marked["system"])
    for tool in marked.get("tools", []):
        TypeAdapter(anthropic.types.ToolParam).validate_python(tool)
    assert json.dumps(marked).count("cache_control") <= 4


@cases("bedrock")
def test_bedrock_is_told_by_a_cache_point(case):
    """As the golden file has it."""
    marks = Marks(**case["marks"], **MUCH)
    assert json.loads(BedrockConverse().mark(encoded(case["body"]), case["model"], marks)) == case["marked"]


@cases("bedrock")
def test_botocore_would_send_it(case):
    """Its model of the service has nothing against it."""
    service = botocore.session.get_session().get_service_model("bedrock-runtime")
    shape = service.operation_model("Converse").input_shape
    said = {"modelId": case["model"], **case["marked"]}
    assert not ParamValidator().validate(said, shape).generate_report()


@pytest.mark.parametrize("wire", [OpenAIChat(cache_key=True), OpenAIResponses()], ids=["chat", "responses"])
def test_openai_is_given_a_key_and_the_rest_stays_byte_for_byte(wire):
    """It keeps beginnings unasked; the key brings equal ones to one machine."""
    body = b'{ "model":"m",\t"x_own": 1.50 }'
    marked = wire.mark(body, "gpt-5", Marks(key="headgate-0a", tokens=1024))
    assert marked == b'{ "model":"m",\t"x_own": 1.50 ,"prompt_cache_key":"headgate-0a"}'


def test_the_sdk_of_openai_knows_the_key():
    """The field is one of its parameters."""
    for params in (
        openai.types.chat.completion_create_params.CompletionCreateParamsBase,
        openai.types.responses.response_create_params.ResponseCreateParamsBase,
    ):
        assert "prompt_cache_key" in params.__annotations__


@pytest.mark.parametrize(
    ("adapter", "keyed"),
    [
        (OpenAIAdapter(OpenAISettings(api_key="k")), True),
        (OpenAIAdapter(OpenAISettings(base_url="http://house.test/v1")), False),
        (OpenAIAdapter(OpenAISettings(base_url="http://house.test/v1", prompt_cache_key=True)), True),
        (AzureOpenAIAdapter(AzureOpenAISettings(endpoint="https://r.openai.azure.com", api_key="k")), True),
        (
            AzureOpenAIAdapter(
                AzureOpenAISettings(
                    endpoint="https://r.openai.azure.com", api_key="k", api_version="2024-10-21"
                )
            ),
            False,
        ),
    ],
    ids=["openai", "a server like it", "one that takes it", "azure", "azure, an old version"],
)
def test_only_servers_that_know_the_key_are_sent_one(adapter, keyed):
    """A server like OpenAI's may refuse a field that it does not know."""
    wire = adapter.wire_for("chat", "openai.chat")
    assert isinstance(wire, Marking)
    marked = wire.mark(b'{"model":"m"}', "m", Marks(key="headgate-x", tokens=5_000))
    assert (b"prompt_cache_key" in marked) is keyed


def test_gemini_is_told_nothing():
    """It keeps beginnings by itself; its explicit caches are objects with a life of their own."""
    assert not isinstance(GeminiGenerate(), Marking)


@pytest.mark.parametrize(
    ("wire", "model"),
    [
        (AnthropicMessages(), "claude-haiku-4-5"),
        (BedrockConverse(), "anthropic.claude-haiku-4-5-20251001-v1:0"),
        (OpenAIChat(cache_key=True), "gpt-5"),
        (OpenAIResponses(), "gpt-5"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_a_short_prompt_passes_untouched(wire, model):
    """Less than the vendor keeps is not worth a changed byte."""
    body = b'{"system": [{"text": "x"}], "messages": [{"role": "user", "content": []}]}'
    assert (
        wire.mark(body, model, ALL._replace(tokens=1_000, instructions_tokens=1_000, history_tokens=1_000))
        is body
    )


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("claude-sonnet-4-5", 1024),
        ("claude-opus-4-1", 1024),
        ("claude-opus-4-6", 4096),
        ("claude-haiku-4-5-20251001", 4096),
        ("claude-3-5-haiku-20241022", 2048),
        ("claude-opus-5", 512),
        ("claude-fable-5", 512),
        ("claude-sonnet-5", 1024),
        ("claude", 1024),
        ("some-other-model", 1024),
    ],
)
def test_how_much_claude_keeps_at_least(model, least):
    """By the model's name."""
    assert least_kept(model) == least


@pytest.mark.parametrize(
    "body", [b'{"messages": 7, "system": {}}', b'{"messages": ["x"], "tools": [1]}', b"{}"]
)
def test_nonsense_passes_as_it_is(body):
    """The vendor says in its own words what is wrong with it."""
    marked = AnthropicMessages().mark(body, "claude-sonnet-5", ALL._replace(**MUCH))
    assert msgspec.json.decode(marked) == msgspec.json.decode(body)


texts = st.text(max_size=5)
blocks = st.one_of(
    st.fixed_dictionaries({"type": st.just("text"), "text": texts}),
    st.just({"type": "thinking", "thinking": "x", "signature": "s"}),
    st.fixed_dictionaries({"type": st.just("tool_result"), "tool_use_id": texts, "content": texts}),
    st.fixed_dictionaries({"type": st.just("unheard_of"), "x": st.integers()}),
)
contents = st.one_of(texts, st.lists(blocks, max_size=4))
turns = st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": contents})
bodies = st.fixed_dictionaries(
    {"model": st.just("m"), "messages": st.lists(turns, max_size=6)},
    optional={
        "system": contents,
        "tools": st.lists(st.fixed_dictionaries({"name": texts, "defer_loading": st.booleans()}), max_size=3),
        "x_own": st.integers(),
    },
)


@given(body=bodies, flags=st.tuples(*[st.booleans()] * 5))
def test_marks_are_all_that_changes(body, flags):
    """Whatever is asked: without its marks, three at most, it is the same request."""
    tools, instructions, history, conversation, long = flags
    marks = Marks(tools, instructions, history, conversation, long, **MUCH)
    marked = AnthropicMessages().mark(encoded(body), "claude-sonnet-5", marks)
    assert marked.count(b'"cache_control"') <= 3
    assert unmarked(msgspec.json.decode(marked)) == unmarked(body)


def unmarked(value: Any) -> Any:
    """Without marks; a text alone is a block of text."""
    if isinstance(value, dict):
        return {
            name: [{"type": "text", "text": inner}]
            if name in ("content", "system") and isinstance(inner, str)
            else unmarked(inner)
            for name, inner in value.items()
            if name != "cache_control"
        }
    return [unmarked(inner) for inner in value] if isinstance(value, list) else value
