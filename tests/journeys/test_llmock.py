"""llmock behind the gateway: streams it breaks on purpose are never shown as a success."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.mock_vendors import LLMock, llmock
from tests.support.records import shown
from tests.support.sdks import Speaker, speakers

__all__: list[str] = []

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
api_key = "none"

[providers.claude]
kind = "anthropic"
base_url = "{url}/anthropic"
api_key = "none"

[providers.gemini]
kind = "gemini"
base_url = "{url}/gemini/v1beta"
api_key = "none"

[features.hurried]
route = "openai/gpt-4.1"
timeouts = {{ between_tokens = "400ms" }}
"""
MODELS = ["openai/gpt-4.1", "claude/claude-opus-4-7", "gemini/gemini-2.5-flash"]
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda name: name.partition("/")[0])
HELLO: Any = [{"role": "user", "content": "hello"}]
TEXT = "A rather long answer, said word by word, so that there is something to break."


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LLMock, RunningGateway, Speaker]]:
    folder = tmp_path_factory.mktemp("llmock")
    with (
        llmock(folder) as mock,
        running_gateway(folder, CONFIG.format(url=mock.url)) as running,
        speakers(running) as both,
    ):
        yield mock, running, both["sync"]


@pytest.fixture
def mock(_running: tuple[LLMock, RunningGateway, Speaker]) -> LLMock:
    _running[0].reset()
    return _running[0]


@pytest.fixture
def sdk(_running: tuple[LLMock, RunningGateway, Speaker]) -> Speaker:
    return _running[2]


@pytest.fixture
def gateway(_running: tuple[LLMock, RunningGateway, Speaker]) -> RunningGateway:
    return _running[1]


@every_model
def test_chats_and_messages(model: str, sdk: Speaker, mock: LLMock) -> None:
    """Both SDKs, whole and streamed, with usage."""
    mock.next_time(*[{"type": "reply", "text": TEXT}] * 4)
    chat = sdk.openai.chat.completions
    whole = chat.create(model=model, messages=HELLO)
    _, folded = sdk.fold(chat.stream(model=model, messages=HELLO), "get_final_completion")
    assert whole.choices[0].message.content == folded.choices[0].message.content == TEXT
    assert whole.usage.completion_tokens > 0
    ask: Any = {"model": model, "messages": HELLO, "max_tokens": 99}
    message = sdk.anthropic.messages.create(**ask)
    _, streamed = sdk.fold(sdk.anthropic.messages.stream(**ask), "get_final_message")
    assert message.content[0].text == streamed.content[0].text == TEXT
    assert streamed.usage.output_tokens == whole.usage.completion_tokens


@every_model
@pytest.mark.parametrize("kind", ["disconnect", "truncate", "malformed"])
def test_a_broken_stream_is_an_error_after_what_came(
    model: str, kind: str, sdk: Speaker, mock: LLMock, gateway: RunningGateway
) -> None:
    """Cut, ended without its end, or with a chunk that is no JSON: the application hears of it, and the record says so."""
    fault = {"type": "stream_fault", "kind": kind, "after_chunks": 5}
    mock.next_time({"type": "reply", "text": TEXT}, fault)
    came: list[str] = []
    with (
        pytest.raises(openai.APIError) as raised,
        sdk.openai.chat.completions.with_streaming_response.create(
            model=model, messages=HELLO, stream=True
        ) as response,
    ):
        request_id = response.headers["x-request-id"]
        came.extend(chunk.choices[0].delta.content or "" for chunk in response.parse())
    assert raised.value.code in ("upstream_cut", "upstream_malformed")
    assert TEXT.startswith("".join(came)) and "".join(came) not in ("", TEXT)
    row = shown(gateway, request_id).request
    assert (row.outcome, row.error_class) == ("failed", raised.value.code)
    assert row.cost_label in ("estimated", "exact", "unknown")
    mock.next_time({"type": "reply", "text": TEXT}, fault)
    with pytest.raises(anthropic.APIStatusError):
        sdk.fold(
            sdk.anthropic.messages.stream(model=model, messages=HELLO, max_tokens=99), "get_final_message"
        )
    assert len(mock.requests()) == 2, "nobody asked again"


@every_model
def test_a_stream_broken_before_its_first_word_is_refused_with_a_status(
    model: str, sdk: Speaker, mock: LLMock
) -> None:
    """Nothing was shown yet, so the status can still say it."""
    mock.next_time({"type": "stream_fault", "kind": "disconnect", "after_chunks": 0})
    with pytest.raises(openai.InternalServerError) as raised:
        sdk.openai.chat.completions.create(model=model, messages=HELLO, stream=True)
    assert raised.value.status_code == 502
    assert len(mock.requests()) == 1


def test_a_stall_ends_at_the_features_patience(sdk: Speaker, mock: LLMock) -> None:
    """A stream that falls silent for longer than `between_tokens`."""
    stall = {"type": "stream_fault", "kind": "stall", "after_chunks": 4, "stall_seconds": 20}
    mock.next_time({"type": "reply", "text": TEXT}, stall)
    with pytest.raises(openai.APIError) as raised:
        list(sdk.openai.chat.completions.create(model="hurried", messages=HELLO, stream=True))
    assert raised.value.code == "between_timeout"


@every_model
@pytest.mark.parametrize(
    ("status", "of_openai", "of_anthropic"),
    [
        (429, openai.RateLimitError, anthropic.RateLimitError),
        (500, openai.InternalServerError, anthropic.InternalServerError),
        (401, openai.InternalServerError, anthropic.InternalServerError),
        (400, openai.BadRequestError, anthropic.BadRequestError),
    ],
)
def test_refusals(
    model: str, status: int, of_openai: Any, of_anthropic: Any, sdk: Speaker, mock: LLMock
) -> None:
    """As the SDKs' own errors, with the wait that was named, and one call each."""
    mock.next_time({"type": "fail", "status": status, "retry_after": 1, "times": 2})
    with pytest.raises(of_openai) as raised:
        sdk.openai.chat.completions.create(model=model, messages=HELLO)
    with pytest.raises(of_anthropic):
        sdk.anthropic.messages.create(model=model, messages=HELLO, max_tokens=9)
    if status == 429:
        assert raised.value.response.headers["retry-after"] == "1"
    assert [request["status"] for request in mock.requests()] == [status, status]
