"""Providers are told which beginnings of prompts to keep, and what that saved is told to the operator."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until
from tests.support.recording_upstream import RecordingUpstream, recording_upstream
from tests.support.vendors import VENDORS, Said

__all__: list[str] = []

BY_NAME = {vendor.provider: vendor for vendor in VENDORS}
SYSTEM = "You are the help desk of a shop that sells umbrellas. " * 150
CONFIG = """
[features.desk]
route = "claude/claude-sonnet-5"
prompt_caching = "5m"

[features.plain]
route = "claude/claude-sonnet-5"

[features.chat]
route = "openai/gpt-5"
prompt_caching = "1h"

[features.dear]
route = "claude/claude-sonnet-5"
prompt_caching = "5m"
budget = { month = 500 }

[features.keyed]
route = "keyed/claude-sonnet-5"
prompt_caching = "5m"

[features.rehearsed]
route = "steadily"
prompt_caching = "5m"

[providers.sim]
kind = "simulated"
speed = 0
vary = true
models.steady = { error_rate = 0, quality = 1 }

[models.steadily]
endpoints = [{ provider = "sim", model = "steady", price = { input = 3, output = 15, cache_read = 0.3, cache_write = 3.75 } }]
"""


@pytest.fixture(scope="module")
def upstream() -> Iterator[RecordingUpstream]:
    with recording_upstream() as found:
        yield found


@pytest.fixture(scope="module")
def gateway(
    upstream: RecordingUpstream, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningGateway]:
    openai = BY_NAME["openai"].section(upstream.url) + "prompt_cache_key = true\n"
    keyed = BY_NAME["claude"].section(upstream.url).replace("providers.claude", "providers.keyed")
    keyed += 'api_keys = ["sk-ant-second", "sk-ant-third"]\n'
    config = BY_NAME["claude"].section(upstream.url) + keyed + openai + CONFIG
    with running_gateway(tmp_path_factory.mktemp("caching"), config) as found:
        yield found
        assert "Traceback" not in found.log, found.log


def ask(gateway: RunningGateway, path: str, body: Any) -> Any:
    request = urllib.request.Request(
        f"{gateway.url}{path}",
        json.dumps(body).encode(),
        {"authorization": f"Bearer {gateway.key}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.loads(reply.read())


def messages(feature: str, *turns: str, system: Any = SYSTEM, **more: Any) -> dict[str, Any]:
    said = [{"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(turns)]
    return {"model": feature, "max_tokens": 100, "system": system, "messages": said, **more}


def test_what_comes_again_is_marked_and_the_rest_passes_as_it_came(
    gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """The first request is the caller's own bytes; the next says where the system prompt ends; and a conversation, where it ends."""
    upstream.answer = BY_NAME["claude"].says(Said("Yes."))
    upstream.take()
    first = messages("desk", "Is it red?", x_unheard_of=[1.5])
    ask(gateway, "/v1/messages", first)
    assert upstream.only().body == json.dumps(first).encode().replace(b'"desk"', b'"claude-sonnet-5"')
    ask(gateway, "/v1/messages", messages("desk", "Is it blue?", x_unheard_of=[1.5]))
    sent = upstream.only()
    assert sent.json["system"] == [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral"}}]
    assert sent.json["messages"] == [{"role": "user", "content": "Is it blue?"}]
    assert b'"x_unheard_of":[1.5]' in sent.body
    ask(gateway, "/v1/messages", messages("desk", "Is it blue?", "Yes.", "How blue?"))
    assert upstream.only().json["messages"][-1]["content"] == [
        {"type": "text", "text": "How blue?", "cache_control": {"type": "ephemeral"}}
    ]


def test_callers_of_another_dialect_are_marked_too(
    gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """They have no words for it at all."""
    upstream.answer = BY_NAME["claude"].says(Said("Yes."))
    upstream.take()
    turns = [{"role": "system", "content": "Chats. " + SYSTEM}, {"role": "user", "content": "Is it red?"}]
    for _ in range(2):
        ask(gateway, "/v1/chat/completions", {"model": "desk", "messages": turns})
    plain, marked = (each.json["system"] for each in upstream.take())
    assert isinstance(plain, str)
    assert marked[0]["cache_control"] == {"type": "ephemeral"}


def test_what_the_caller_marks_is_left_alone(gateway: RunningGateway, upstream: RecordingUpstream) -> None:
    """It knows better where its prompt ends."""
    upstream.answer = BY_NAME["claude"].says(Said("Yes."))
    upstream.take()
    own = [{"type": "text", "text": SYSTEM, "cache_control": {"type": "ephemeral", "ttl": "1h"}}]
    body = messages("desk", "Is it red?", system=own)
    for _ in range(3):
        ask(gateway, "/v1/messages", body)
    assert {each.body for each in upstream.take()} == {
        json.dumps(body).encode().replace(b'"desk"', b'"claude-sonnet-5"')
    }


def test_a_feature_that_does_not_ask_for_it_is_not_touched(
    gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """However often it says the same."""
    upstream.answer = BY_NAME["claude"].says(Said("Yes."))
    upstream.take()
    for _ in range(3):
        ask(gateway, "/v1/messages", messages("plain", "Is it red?"))
    assert not any(b"cache_control" in each.body for each in upstream.take())


def test_openai_is_told_one_name_for_one_system_prompt(
    gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """From the first request on, for it costs nothing; the rest passes byte for byte."""
    upstream.answer = BY_NAME["openai"].says(Said("Yes."))
    upstream.take()
    turns = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "Is it red?"}]
    body = {"model": "chat", "messages": turns}
    ask(
        gateway,
        "/v1/chat/completions",
        {"model": "chat", "messages": [turns[0], {"role": "user", "content": "Hi"}]},
    )
    ask(gateway, "/v1/chat/completions", body)
    one, two = upstream.take()
    assert one.json["prompt_cache_key"] == two.json["prompt_cache_key"]
    assert len(one.json["prompt_cache_key"]) <= 64
    key = json.dumps(two.json["prompt_cache_key"])
    assert (
        two.body
        == json.dumps(body).encode().replace(b'"chat"', b'"gpt-5"')[:-1]
        + f',"prompt_cache_key":{key}}}'.encode()
    )


def test_a_conversation_stays_with_the_key_that_has_it(
    gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """Keys of different organisations share no cache: requests go round, a conversation does not."""
    upstream.answer = BY_NAME["claude"].says(Said("Yes."))
    upstream.take()
    for number in range(12):
        ask(gateway, "/v1/messages", messages("keyed", f"Question {number}?", system=f"Rule {number}."))
    assert len({each.header("x-api-key") for each in upstream.take()}) > 1
    turns = ["Is it red?"]
    for question in ("Is it blue?", "Is it green?", "Is it grey?", "Is it pink?"):
        ask(gateway, "/v1/messages", messages("keyed", *turns))
        turns += ["Yes.", question]
    assert len({each.header("x-api-key") for each in upstream.take()}) == 1


def test_money_is_set_aside_for_writing(gateway: RunningGateway, upstream: RecordingUpstream) -> None:
    """Writing costs more than reading plainly: what a budget sets aside is for the worst."""
    upstream.answer = BY_NAME["claude"].says(Said("Yes."))
    system = "Dear. " + SYSTEM
    for question in ("Is it red?", "Is it blue?"):
        ask(gateway, "/v1/messages", messages("dear", question, system=system))
    reserved = until(lambda: len(found := reserved_for(gateway, "dear")) == 2 and found)
    assert 1.2 < reserved[1] / reserved[0] < 2.1


def reserved_for(gateway: RunningGateway, feature: str) -> list[int]:
    """What was set aside for each attempt, in order."""
    question = "SELECT reserved_nanos FROM attempt JOIN request ON request.id = request_id WHERE feature = ? ORDER BY attempt.id"
    with contextlib.closing(sqlite3.connect(gateway.database)) as database:
        return [nanos for (nanos,) in database.execute(question, (feature,))]


def api(gateway: RunningGateway, path: str) -> Any:
    request = urllib.request.Request(
        f"{gateway.url}{path}", headers={"authorization": f"Bearer {gateway.key}"}
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        return json.loads(reply.read())


def test_tokens_and_money_saved_are_told(gateway: RunningGateway) -> None:
    """A conversation through Anthropic's SDK with the simulated provider, which keeps what is marked as Anthropic does: read from
    its cache, at its price, and told by `headgate cost report` and by the API, less what writing costs on top."""
    client = anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0)
    turns: list[Any] = []
    used = []
    for question in ("Is it red?", "Is it blue?", "Is it green?", "Is it grey?"):
        turns.append({"role": "user", "content": question})
        answer = client.messages.create(model="rehearsed", max_tokens=50, system=SYSTEM, messages=turns)
        turns.append({"role": "assistant", "content": answer.content[0].text})  # type: ignore[union-attr]
        used.append(answer.usage)
    first, second, third, _ = used
    assert not first.cache_creation_input_tokens
    assert not first.cache_read_input_tokens
    assert (second.cache_creation_input_tokens or 0) > 1_000
    assert (third.cache_read_input_tokens or 0) >= (second.cache_creation_input_tokens or 0)
    read = sum(one.cache_read_input_tokens or 0 for one in used)
    written = sum(one.cache_creation_input_tokens or 0 for one in used)
    saved, extra = read * 2.7e-6, written * 0.75e-6
    until(lambda: api(gateway, "/api/costs?feature=rehearsed")["total"]["requests"] == len(used))
    costs = api(gateway, "/api/costs?feature=rehearsed")["total"]
    assert costs["cache_read_tokens"] == read
    assert float(costs["cache_read_saved_usd"]) == pytest.approx(saved)
    assert float(costs["cache_write_extra_usd"]) == pytest.approx(extra)
    words = headgate(gateway.directory, "cost", "report", "--feature", "rehearsed")
    assert f"{read:,} tokens read, {written:,} written; they saved {saved - extra:.6f} USD" in words
    latest = api(gateway, "/api/requests?feature=rehearsed&limit=1")["items"][0]["id"]
    shown = headgate(gateway.directory, "show", latest)
    assert "prompt cache saved 0.00" in shown and "on top for writing" in shown
    assert '{"prompt_cache":"instructions, conversation"}' in shown


def headgate(directory: Path, *words: str) -> str:
    command = [sys.executable, "-m", "headgate", *words, "--config", "headgate.toml"]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout
