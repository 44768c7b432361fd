"""Answers from memory in a started gateway, asked for with the vendors' own SDKs."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from headgate.core.ids import parse_request_id
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.raw_client import until
from tests.support.records import all_shown

__all__: list[str] = []

CONFIG = """
[providers.sim]
kind = "simulated"
speed = 0
models.main = { error_rate = 0, quality = 1 }

[models.main]
endpoints = [{ provider = "sim", model = "main" }]

[features.faq]
route = "main"
cache = { exact = "1h", scope = "feature", when = "always" }

[features.plain]
route = "main"
"""


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningGateway]:
    with running_gateway(tmp_path_factory.mktemp("recall"), CONFIG) as running:
        yield running
        assert running.stop() == 0
        assert "Traceback" not in running.log, running.log


def openai_of(gateway: RunningGateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{gateway.url}/v1", api_key=gateway.key, max_retries=0)


def ask(gateway: RunningGateway, text: str, *, model: str = "faq", **more: Any) -> tuple[str, dict[str, str]]:
    """The answer's text, and the headers."""
    with openai_of(gateway) as client:
        raw = client.chat.completions.with_raw_response.create(
            model=model, messages=[{"role": "user", "content": text}], **more
        )
        said = raw.parse()
        if more.get("stream"):
            words = "".join(chunk.choices[0].delta.content or "" for chunk in said if chunk.choices)
        else:
            words = said.choices[0].message.content or ""
        return words, dict(raw.headers)


def test_the_second_asker_gets_the_first_ones_answer(gateway: RunningGateway) -> None:
    """Whole and streamed, with what it is said in headers: that it is a hit, how old, whose, and that it costs nothing."""
    first, headers = ask(gateway, "Explain why rivers meander.")
    assert headers["x-cache"] == "MISS" and headers["x-headgate-cache"] == "miss"
    again, told = ask(gateway, "Explain why rivers meander.")
    assert again == first
    assert (told["x-cache"], told["x-headgate-cache"]) == ("HIT (exact)", "exact")
    assert told["x-headgate-cache-origin"] == headers["x-request-id"] != told["x-request-id"]
    assert int(told["age"]) < 60 and float(told["x-headgate-cost-usd"]) == 0
    streamed, of_stream = ask(gateway, "Explain why rivers meander.", stream=True)
    assert streamed == first and of_stream["x-cache"] == "HIT (exact)"
    _, of_other = ask(gateway, "Explain why rivers freeze.")
    assert of_other["x-cache"] == "MISS"


def test_both_vendors_sdks_share_answers(gateway: RunningGateway) -> None:
    """A question that was asked in OpenAI's dialect is answered from memory in Anthropic's, whole and streamed."""
    first, _ = ask(gateway, "Why is the sea salty?", max_tokens=4000)
    with anthropic.Anthropic(base_url=gateway.url, api_key=gateway.key, max_retries=0) as client:
        raw = client.messages.with_raw_response.create(
            model="faq", max_tokens=4000, messages=[{"role": "user", "content": "Why is the sea salty?"}]
        )
        assert raw.headers["x-cache"] == "HIT (exact)"
        assert "".join(part.text for part in raw.parse().content if part.type == "text") == first
        with client.messages.stream(
            model="faq", max_tokens=4000, messages=[{"role": "user", "content": "Why is the sea salty?"}]
        ) as stream:
            assert stream.response.headers["x-cache"] == "HIT (exact)"
            assert stream.get_final_text() == first


def test_nothing_but_an_answer_from_memory_is_asked_for(gateway: RunningGateway) -> None:
    """The SDK is told that there is none, once, and no model was asked."""
    with pytest.raises(openai.APIStatusError) as refused:
        ask(gateway, "Never asked before.", extra_headers={"cache-control": "only-if-cached"})
    assert refused.value.status_code == 504 and refused.value.code == "not_in_cache"
    _, headers = ask(gateway, "Never asked before.")
    assert headers["x-cache"] == "MISS"
    for model, off in (("plain", {}), ("faq", {"x-headgate-cache": "off"})):
        with pytest.raises(openai.APIStatusError) as refused:
            ask(gateway, "Never asked.", model=model, extra_headers={"cache-control": "only-if-cached"} | off)
        assert refused.value.status_code == 504 and refused.value.code == "not_in_cache"


def test_a_feature_without_a_cache_says_nothing_of_one(gateway: RunningGateway) -> None:
    """No header, no entry, a call for each request."""
    for _ in range(2):
        _, headers = ask(gateway, "Explain why rivers meander.", model="plain")
        assert "x-cache" not in headers and "x-headgate-cache" not in headers


SLOW = CONFIG.replace("speed = 0", "speed = 1").replace('when = "always"', 'when = "always", stale = "1m"')


def test_streams_are_joined_through_a_change_of_the_configuration_and_a_stop(tmp_path: Path) -> None:
    """Callers at the same time share a call; what is under way goes on when another configuration comes and when the process stops;
    each record says whose answer it was."""
    question = "Tell me at length about rivers."
    with running_gateway(tmp_path, SLOW) as running:
        with ThreadPoolExecutor(8) as pool:
            together = threading.Barrier(8)

            def one(_: int) -> tuple[str, dict[str, str]]:
                together.wait()
                return ask(running, question, stream=True)

            asked = [pool.submit(one, number) for number in range(8)]
            (tmp_path / "headgate.toml").write_text(SLOW + '\n[features.more]\nroute = "main"\n')
            answers = [each.result(timeout=60) for each in asked]
        assert len({text for text, _ in answers}) == 1
        how = sorted(headers["x-headgate-cache"] for _, headers in answers)
        assert how.count("miss") == 1 and set(how) <= {"miss", "joined", "exact"}
        assert until(lambda: len(all_shown(running)) >= 8, seconds=15), running.log
        assert running.stop() == 0
        assert "Traceback" not in running.log, running.log
        rows = [one.request for one in all_shown(running)]
    leader = next(row for row in rows if row.cache == "miss")
    assert leader.attempts == 1 and leader.cost_nanos
    for row in rows:
        if row is not leader:
            assert (row.origin_id, row.attempts, row.avoided_nanos) == (leader.id, 0, leader.cost_nanos)
    assert {parse_request_id(headers["x-request-id"]) for _, headers in answers} == {row.id for row in rows}
