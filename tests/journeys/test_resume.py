"""Streams that break off after their first words, seen from outside: with `resume` they end with the complete answer."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator

import anthropic
import openai
import pytest

from tests.support.gateway import RunningGateway, running_gateway

__all__: list[str] = []

FAULTS = {
    "cut": "cut:20",
    "early": "cut:1",
    "stall": "stall:20",
    "malformed": "malformed_frame:20",
    "error": "error_in_stream:20",
    "unended": "missing_terminator",
}
# Fast, and yet a piece at a time: a fault that comes together with the first words is no broken stream.
PACE = 'quality = 1, first_token = { median = "1ms", p95 = "1ms" }, tokens_per_second = 2000'
ABLE = '["chat", "tools", "images", "json", "thinking"]'
WAYS = {"continued": "well/talk", "restarted": "blunt/talk"}
DIALECTS = ("chat", "responses", "messages", "raw")


def _feature(fault: str, way: str, dialect: str) -> str:
    """With an endpoint of its own: one that breaks off again and again is soon not asked any more."""
    return f"""
[providers.{fault}-{way}-{dialect}]
kind = "simulated"
models.talk = {{ error_rate = 1, {PACE}, faults = ["{FAULTS[fault]}"] }}

[features.feature-{fault}-{way}-{dialect}]
route = "{fault}-{way}-{dialect}/talk"
fallback = ["{WAYS[way]}"]
timeouts = {{ between_tokens = "300ms" }}
resume = true
"""


CONFIG = f"""
[providers.well]
kind = "simulated"
models.talk = {{ error_rate = 0, {PACE} }}
models.other = {{ error_rate = 1, {PACE}, faults = ["garbled"], capabilities = {ABLE} }}

[providers.blunt]
kind = "simulated"
models.talk = {{ error_rate = 0, {PACE}, capabilities = {ABLE} }}

[providers.cut]
kind = "simulated"
models.talk = {{ error_rate = 1, {PACE}, faults = ["cut:20"] }}

[features.unmended]
route = "cut/talk"
fallback = ["well/talk"]

[features.lost]
route = "stalls/talk"
fallback = ["well/other"]
timeouts = {{ between_tokens = "300ms" }}
resume = true

[providers.stalls]
kind = "simulated"
models.talk = {{ error_rate = 1, {PACE}, faults = ["stall:20"] }}
""" + "".join(_feature(fault, way, dialect) for fault in FAULTS for way in WAYS for dialect in DIALECTS)
QUESTION = "How does a lock lift a boat?"

each_fault = pytest.mark.parametrize("fault", FAULTS)
each_way = pytest.mark.parametrize("way", WAYS)


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("resume"), CONFIG) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="module")
def whole(gateway: RunningGateway) -> str:
    """The answer that nothing goes wrong with."""
    return chat_text(gateway, "well/talk")


def chat_text(gateway: RunningGateway, model: str) -> str:
    """Streamed through OpenAI's SDK; raises what the SDK raises."""
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20)
    said, reasons = "", []
    stream = client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": QUESTION}], stream=True
    )
    for chunk in stream:
        for choice in chunk.choices:
            said += choice.delta.content or ""
            reasons += [choice.finish_reason] if choice.finish_reason else []
    assert reasons == ["stop"]
    return said


def responses_text(gateway: RunningGateway, model: str) -> str:
    client = openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0, timeout=20)
    with client.responses.stream(model=model, input=QUESTION) as stream:
        return stream.get_final_response().output_text


def messages_text(gateway: RunningGateway, model: str) -> str:
    client = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0, timeout=20)
    with client.messages.stream(
        model=model, max_tokens=900, messages=[{"role": "user", "content": QUESTION}]
    ) as stream:
        message = stream.get_final_message()
    assert message.stop_reason == "end_turn" and len(message.content) == 1
    assert message.content[0].type == "text"
    return message.content[0].text


def raw(gateway: RunningGateway, model: str) -> str:
    body = {"model": model, "stream": True, "messages": [{"role": "user", "content": QUESTION}]}
    headers = {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"}
    request = urllib.request.Request(f"{gateway.url}/v1/chat/completions", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert reply.status == 200
        text: str = reply.read().decode()
        return text


TOLD = {"chat": chat_text, "responses": responses_text, "messages": messages_text}


@each_fault
@each_way
@pytest.mark.parametrize("dialect", TOLD)
def test_a_broken_stream_ends_with_the_complete_answer(
    gateway: RunningGateway, whole: str, fault: str, way: str, dialect: str
) -> None:
    """Whatever broke it, whether the other endpoint can go on with it or has to begin again, in every dialect."""
    assert TOLD[dialect](gateway, f"feature-{fault}-{way}-{dialect}") == whole


@each_fault
@each_way
def test_a_mended_answer_says_so(gateway: RunningGateway, fault: str, way: str) -> None:
    """As a comment at its end: the headers are gone when it happens. One end, and no error."""
    said = raw(gateway, f"feature-{fault}-{way}-raw")
    assert said.count("data: [DONE]") == 1 and '"error"' not in said
    last = said.rstrip().rpartition("\n")[2]
    assert last.startswith(": headgate ")
    mark = json.loads(last.removeprefix(": headgate "))["resumed"]
    kind = {"continued": "on well/talk (continuation)", "restarted": "on blunt/talk (restart)"}[way]
    assert mark.startswith("after ") and mark.endswith(kind)


def test_without_the_setting_a_broken_stream_ends_in_an_error(gateway: RunningGateway, whole: str) -> None:
    """Explicit, and never an end as if the answer were complete."""
    said = raw(gateway, "unmended")
    assert '"error"' in said and "[DONE]" not in said
    with pytest.raises(openai.APIError):
        chat_text(gateway, "unmended")


def test_an_answer_that_nobody_can_finish_ends_in_the_first_error(gateway: RunningGateway) -> None:
    """The other endpoint cannot go on with it, and talks nonsense: neither is what the caller learns of."""
    said = raw(gateway, "lost")
    assert "[DONE]" not in said and "between_timeout" in said
