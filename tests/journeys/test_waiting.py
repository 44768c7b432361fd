"""A caller whose stream has no first word yet is kept company by comments, which every client passes over."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import anthropic
import openai
import pytest

from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

CONFIG = """
[server]
waiting = "100ms"

[providers.sim]
kind = "simulated"
models.slow = { like = "sim-small", error_rate = 0, quality = 1, first_token = { median = "700ms", p95 = "700ms" }, tokens_per_second = 10000 }
models.silent = { like = "sim-small", error_rate = 1, faults = ["silence"] }

[models.slow]
endpoints = [{ provider = "sim", model = "slow" }]

[features.silent]
route = "sim/silent"
timeouts = { first_token = "500ms" }
"""
ASK: Any = [{"role": "user", "content": "How high is the water?"}]


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("waiting"), CONFIG) as running:
        yield running


def raw(gateway: RunningGateway, model: str, *, stream: bool = True) -> str:
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions",
        json.dumps({"model": model, "messages": ASK, "stream": stream}).encode(),
        {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert reply.status == 200
        return reply.read().decode()


def test_comments_come_before_a_late_first_word(gateway: RunningGateway) -> None:
    """And the answer after them is complete."""
    text = raw(gateway, "slow")
    before, _, rest = text.partition("data:")
    assert before.count(": waiting\n\n") >= 3
    assert ": waiting" not in rest and rest.rstrip().splitlines()[-1].startswith(": headgate")
    assert "data: [DONE]" in rest


def test_a_whole_answer_gets_none(gateway: RunningGateway) -> None:
    """JSON has no comments."""
    assert json.loads(raw(gateway, "slow", stream=False))["choices"][0]["message"]["content"]


def test_a_failure_after_a_comment_is_an_error_event(gateway: RunningGateway) -> None:
    """The status is out; nothing that looks like an end follows."""
    text = raw(gateway, "silent")
    assert text.startswith(": waiting")
    last = text.rstrip().splitlines()[-1]
    assert json.loads(last.removeprefix("data: "))["error"]["code"] in (
        "headers_timeout",
        "first_content_timeout",
    )
    assert "[DONE]" not in text


def test_the_sdks_read_past_the_comments(gateway: RunningGateway) -> None:
    """OpenAI's and Anthropic's."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    chunks: Any = client.chat.completions.create(model="slow", messages=ASK, stream=True)
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    claude = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    with claude.messages.stream(model="slow", max_tokens=200, messages=ASK) as stream:
        said = stream.get_final_text()
    assert "".join(pieces) and said


def test_the_sdk_raises_for_the_error_event(gateway: RunningGateway) -> None:
    """As it does for any error in the middle of a stream."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)
    with pytest.raises(openai.APIError, match="provider"):
        list(client.chat.completions.create(model="silent", messages=ASK, stream=True))
