"""Answers from memory in a started gateway, asked for with the vendors' own SDKs."""

from __future__ import annotations

import json
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
    other, of_other = ask(gateway, "Explain why rivers freeze.")
    assert of_other["x-cache"] == "MISS"
