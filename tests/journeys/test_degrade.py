"""Every model is down, and the feature still answers: through a started gateway, read by the vendors' own SDKs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import openai
import pytest

from tests.support.gateway import RunningGateway, running_gateway
from tests.support.records import shown
from tests.support.sdks import Speaker, speakers

__all__: list[str] = []

FUNCTION = """
def answer(request):
    if "human" in request["text"]:
        return f"{request['feature']}: a person answers, for the outage."
"""
CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.steady = { error_rate = 0, quality = 1 }
models.dead = { error_rate = 1, faults = ["error_500"] }

[models]
down = { endpoints = [{ provider = "sim", model = "dead" }] }
small = { endpoints = [{ provider = "sim", model = "steady" }] }

[features]
say = { route = "down", retry = { attempts = 1, patience = "0s" }, degrade = ["say:{feature} rests; a person answers by mail."] }
rules = { route = "down", retry = { attempts = 1, patience = "0s" }, degrade = ["stale", "rules:faq", "say:Later."] }
model = { route = "down", retry = { attempts = 1, patience = "0s" }, degrade = ["own:small"] }
desk = { route = "down", retry = { attempts = 1, patience = "0s" }, degrade = ["http:URL", "say:Later."] }
code = { route = "down", retry = { attempts = 1, patience = "0s" }, degrade = ["python:h5_answers:answer", "say:Later."] }
old = { route = "small", retry = { attempts = 1, patience = "0s" }, degrade = ["stale:1h"] }
mistaken = { route = "small", degrade = ["say:Later."] }
bare = { route = "down", retry = { attempts = 1, patience = "0s" } }

[[rules.faq.match]]
any = ["refund", "money back"]
answer = "Refunds take five days."
[[rules.faq.match]]
regex = 'order (?P<number>\\d+)'
answer = "We look for order {number}."
"""


class Desk(BaseHTTPRequestHandler):
    """The operator's service."""

    def do_POST(self) -> None:
        told = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = json.dumps({"text": f"The desk has read: {told['text']}"}).encode()
        self.send_response(200)
        self.send_header("content-length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *args: Any) -> None:
        """Not to the terminal."""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    folder = tmp_path_factory.mktemp("degrade")
    (folder / "h5_answers.py").write_text(FUNCTION)
    desk = ThreadingHTTPServer(("127.0.0.1", 0), Desk)
    threading.Thread(target=desk.serve_forever, daemon=True).start()
    config = CONFIG.replace("http:URL", f"http:http://127.0.0.1:{desk.server_port}/answer")
    try:
        with running_gateway(folder, config, environment={"PYTHONPATH": str(folder)}) as running:
            yield running
            assert "Traceback" not in running.log, running.log
    finally:
        desk.shutdown()
        desk.server_close()


@pytest.fixture(scope="module", name="sdk")
def _sdk(gateway: RunningGateway) -> Iterator[Speaker]:
    with speakers(gateway) as both:
        yield both["sync"]


def ask(sdk: Speaker, feature: str, text: str = "Where is my parcel?", **more: Any) -> Any:
    """The answer with its headers."""
    messages: Any = [{"role": "user", "content": text}]
    return sdk.openai.chat.completions.with_raw_response.create(model=feature, messages=messages, **more)


LADDER = {
    ("say", "hello"): ("say", "say rests; a person answers by mail."),
    ("rules", "I want my MONEY BACK!"): ("rules:faq", "Refunds take five days."),
    ("rules", "Where is order 4711?"): ("rules:faq", "We look for order 4711."),
    ("rules", "hello"): ("say", "Later."),
    ("desk", "hello"): ("http", "The desk has read: hello"),
    ("code", "a human, please"): ("python", "code: a person answers, for the outage."),
    ("code", "hello"): ("say", "Later."),
}


@pytest.mark.parametrize(("feature", "text"), LADDER)
def test_each_rung_answers_and_says_that_it_is_none_of_the_models(
    feature: str, text: str, sdk: Speaker, gateway: RunningGateway
) -> None:
    """In the header, as the model, in the usage, and in the record."""
    rung, words = LADDER[feature, text]
    raw = ask(sdk, feature, text)
    answer = raw.parse()
    assert raw.headers["x-headgate-degraded"] == rung
    assert "x-headgate-model" not in raw.headers, "no model answered"
    assert (answer.choices[0].message.content, answer.choices[0].finish_reason) == (words, "stop")
    assert (answer.model, answer.usage.total_tokens) == ("headgate/degraded", 0)
    found = shown(gateway, raw.headers["x-request-id"])
    assert (found.request.degraded, found.request.outcome, found.request.status) == (rung, "ok", 200)
    assert json.loads(found.request.notes)["degraded"].startswith(f"{rung}, after ")
    # None at all, where the endpoint was resting after the failures of other requests.
    assert {attempt.outcome for attempt in found.attempts} <= {"failed"}
    assert found.request.output_tokens == 0


WORDS = "say rests; a person answers by mail."


def test_a_stream_is_degraded_like_a_whole_answer(sdk: Speaker) -> None:
    """Begin, small pieces, an end, and the usage that was asked for."""
    raw = ask(sdk, "say", stream=True, stream_options={"include_usage": True})
    assert raw.headers["x-headgate-degraded"] == "say"
    chunks = list(raw.parse())
    pieces = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
    assert "".join(pieces) == WORDS and sum(map(bool, pieces)) > 1
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage.total_tokens == 0
    assert {chunk.model for chunk in chunks} == {"headgate/degraded"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_responses_api_is_answered(stream: bool, sdk: Speaker) -> None:
    """As the vendor's SDK reads it."""
    if stream:
        events = sdk.events(sdk.openai.responses.create(model="say", input="hello", stream=True))
        assert events[-1].type == "response.completed"
        answer = events[-1].response
    else:
        answer = sdk.get(sdk.openai.responses.create(model="say", input="hello"))
    assert (answer.output_text, answer.status, answer.model) == (WORDS, "completed", "headgate/degraded")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_the_messages_api_is_answered(stream: bool, sdk: Speaker) -> None:
    """As the vendor's SDK reads it."""
    asked: Any = {"model": "say", "max_tokens": 50, "messages": [{"role": "user", "content": "hello"}]}
    if stream:
        _, answer = sdk.fold(sdk.anthropic.messages.stream(**asked), "get_final_message")
    else:
        answer = sdk.get(sdk.anthropic.messages.create(**asked))
    assert [block.text for block in answer.content] == [WORDS]
    assert (answer.stop_reason, answer.model) == ("end_turn", "headgate/degraded")
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (0, 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_another_model_answers_under_its_own_name(
    stream: bool, sdk: Speaker, gateway: RunningGateway
) -> None:
    """Its bytes pass as they are; header and record say that it was not the route's."""
    raw = ask(sdk, "model", stream=stream)
    assert raw.headers["x-headgate-degraded"] == "model:small"
    assert raw.headers["x-headgate-model"] == "steady"
    parsed = raw.parse()
    assert (next(iter(parsed)) if stream else parsed).model == "steady"
    found = shown(gateway, raw.headers["x-request-id"])
    assert [(attempt.kind, attempt.outcome) for attempt in found.attempts][-1] == ("degrade", "ok")
    assert (found.request.degraded, found.request.routed_model) == ("model:small", "small")


@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("then", [False, True], ids=["whole", "streamed"])
def test_the_last_good_answer_comes_again(first: bool, then: bool, sdk: Speaker) -> None:
    """To the same question of the same key, whichever way it was asked; to another question the error comes."""
    text = f"Name three rivers ({first}, {then})."
    before = ask(sdk, "old", text, stream=first).parse()
    words = _text(before, stream=first)
    down = {"x-headgate-fault": "error_500"}
    raw = ask(sdk, "old", text, stream=then, extra_headers=down)
    assert raw.headers["x-headgate-degraded"] == "stale"
    assert int(raw.headers["age"]) < 60
    assert _text(raw.parse(), stream=then) == words
    with pytest.raises(openai.InternalServerError) as refused:
        ask(sdk, "old", f"{text} And lakes?", extra_headers=down)
    assert "x-headgate-degraded" not in refused.value.response.headers


def _text(answer: Any, *, stream: bool) -> str:
    if not stream:
        return str(answer.choices[0].message.content)
    return "".join(chunk.choices[0].delta.content or "" for chunk in answer if chunk.choices)


@pytest.mark.parametrize("fault", ["context_length", "content_filter"])
def test_the_callers_mistakes_are_not_made_good(fault: str, sdk: Speaker) -> None:
    """Whoever sent them must learn of them."""
    with pytest.raises(openai.BadRequestError) as refused:
        ask(sdk, "mistaken", extra_headers={"x-headgate-fault": fault})
    assert "x-headgate-degraded" not in refused.value.response.headers


def test_without_a_ladder_and_where_words_are_no_answer_the_error_comes(sdk: Speaker) -> None:
    """As it did before there was a ladder."""
    with pytest.raises(openai.InternalServerError):
        ask(sdk, "bare")
    with pytest.raises(openai.InternalServerError):
        ask(sdk, "say", response_format={"type": "json_object"})


def test_check_tells_the_ladder_and_a_function_that_is_not_there(tmp_path: Path) -> None:
    """In plain words, before the outage."""
    (tmp_path / "h5_answers.py").write_text(FUNCTION)
    (tmp_path / "headgate.toml").write_text(CONFIG.replace("http:URL", "http:http://127.0.0.1:9/answer"))

    def check(path: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-P", "-m", "headgate", "check"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    code, said = check(str(tmp_path))
    assert code == 0, said
    assert (
        "if every model fails: the last good answer (up to 24 h old), then rules `faq`, then fixed words"
        in said
    )
    code, said = check("")
    assert code == 2
    assert "cannot load h5_answers:answer" in said and "PYTHONPATH" in said


def test_a_stream_says_at_its_end_too_that_it_was_degraded(gateway: RunningGateway) -> None:
    """Its head may have left before anybody knew."""
    body = json.dumps({"model": "say", "stream": True, "messages": [{"role": "user", "content": "hello"}]})
    request = urllib.request.Request(
        f"{gateway.url}/v1/chat/completions", body.encode(), {"authorization": f"Bearer {gateway.key}"}
    )
    with urllib.request.urlopen(request, timeout=20) as reply:
        assert b': headgate {"degraded":"say"}' in reply.read()


def test_words_of_the_ladder_are_not_billed_to_a_model_that_was_silent(
    sdk: Speaker, gateway: RunningGateway
) -> None:
    """It began, said nothing, and may have worked all the same: its prompt is billed, as an estimate."""
    raw = ask(sdk, "mistaken", "hush", stream=True, extra_headers={"x-headgate-fault": "stall:0"})
    assert raw.headers["x-headgate-degraded"] == "say"
    assert _text(raw.parse(), stream=True) == "Later."
    found = shown(gateway, raw.headers["x-request-id"])
    (attempt, *_) = found.attempts
    assert (attempt.status, attempt.error_class, attempt.cost_label) == (
        200,
        "first_content_timeout",
        "estimated",
    )
    assert attempt.input_tokens > 0
    assert [each.output_tokens for each in found.attempts] == [0] * len(found.attempts)
