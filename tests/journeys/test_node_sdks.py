"""The vendors' Node SDKs against a started gateway, over every provider."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support.gateway import RunningGateway
from tests.support.recording_upstream import Answered, Handler, Received, RecordingUpstream
from tests.support.vendors import VECTORS, VENDORS, Said, ToolUse, Vendor

__all__: list[str] = []

pytestmark = pytest.mark.needs("node")

NODE = Path(__file__).parents[1] / "node"
TEXT = "Grüße! Das Wasser steht bei 3,20 m. 🌊"
CALLS = (
    ToolUse("call_a1", "get_weather", {"city": "Zürich"}),
    ToolUse("call_b2", "get_weather", {"city": "Rome"}),
)
RIGHT = Said('{"city": "Zürich", "degrees": 21}')
MODELS = [vendor.name for vendor in VENDORS]
both = pytest.mark.parametrize("family", ["openai", "anthropic"])


def vendor_of(received: Received) -> Vendor:
    """Whose request this is: by the credentials, and a house server is the one that needs none."""
    needy = [vendor for vendor in VENDORS if vendor.provider != "house"]
    found = [vendor for vendor in needy if vendor.authenticated(received)]
    return found[0] if found else next(vendor for vendor in VENDORS if vendor.provider == "house")


def everybody(says: Said) -> Handler:
    def handler(received: Received) -> Answered:
        return vendor_of(received).says(says)(received)

    return handler


def run(gateway: RunningGateway, family: str, what: str, models: list[str]) -> dict[str, Any]:
    """What the SDK's program found out, by model."""
    job = json.dumps({"url": gateway.url, "key": gateway.key, "what": what, "models": models})
    command = ["node", f"{family}_sdk.mjs", job]
    done = subprocess.run(command, cwd=NODE, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    results: dict[str, Any] = json.loads(done.stdout)
    assert list(results) == models
    return results


@both
def test_text_comes_whole_and_streamed(
    family: str, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """In pieces, with usage; the provider received model, system prompt and words."""
    upstream.answer = everybody(Said(TEXT))
    for result in run(gateway, family, "text", MODELS).values():
        assert (result["whole"], result["streamed"]) == (TEXT, TEXT)
        assert result["pieces"] > 3
        if family == "openai":
            assert (result["response"], result["folded"]) == (TEXT, TEXT)
            assert (result["usage"]["prompt_tokens"], result["usage"]["completion_tokens"]) == (25, 7)
        else:
            assert (result["usage"]["input_tokens"], result["usage"]["output_tokens"]) == (15, 7)
    asked = [(vendor_of(received), received) for received in upstream.take()]
    assert len(asked) == len(VENDORS) * (4 if family == "openai" else 2)
    for vendor, received in asked:
        understood = vendor.asked(received)
        assert understood.model == vendor.model
        assert understood.texts == ["How high is the wäter?"]


@both
def test_tools_are_called_in_parallel(
    family: str, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """Whole, and folded from pieces of their arguments."""
    upstream.answer = everybody(Said(calls=CALLS))
    expected = [[call.id, call.name, call.arguments] for call in CALLS]
    for result in run(gateway, family, "tools", MODELS).values():
        assert result["whole"] == result["folded"] == expected
        assert result["reason"] == ("tool_calls" if family == "openai" else "tool_use")
    assert all(vendor_of(received).asked(received).tools == ["get_weather"] for received in upstream.take())


@both
def test_answers_follow_a_schema(family: str, gateway: RunningGateway, upstream: RecordingUpstream) -> None:
    """The schema arrived, the answer is what it says."""
    upstream.answer = everybody(RIGHT)
    for result in run(gateway, family, "structured", MODELS).values():
        assert result["parsed"] == {"city": "Zürich", "degrees": 21}
    for received in upstream.take():
        assert set(vendor_of(received).asked(received).schema["properties"]) == {"city", "degrees"}


def test_texts_become_vectors(gateway: RunningGateway, upstream: RecordingUpstream) -> None:
    """Node's SDK asks for base64 by itself and reads nothing else then."""
    upstream.answer = everybody(Said("never"))
    models = [vendor.name for vendor in VENDORS if vendor.embeds]
    for result in run(gateway, "openai", "vectors", models).values():
        assert result["packed"] == result["plain"] == VECTORS


@both
def test_a_rate_limit_is_the_sdks_own_error_once(
    family: str, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """With the wait that was named, and without the SDK's own retries."""
    upstream.answer = lambda received: vendor_of(received).refuses(429, "slow", ("retry-after", "0.5"))(
        received
    )
    for result in run(gateway, family, "refused", MODELS).values():
        assert (result["name"], result["status"], result["retryAfter"]) == ("RateLimitError", 429, "1")
    assert len(upstream.take()) == len(VENDORS)
