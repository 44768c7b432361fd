"""What goes wrong reaches an application as its SDK's own exceptions, once: SDKs must not multiply attempts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest

from tests.support.gateway import RunningGateway
from tests.support.recording_upstream import Answered, Received, RecordingUpstream
from tests.support.sdks import Speaker
from tests.support.vendors import VENDORS, Said, Vendor

__all__: list[str] = []

every_vendor = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.provider)
MESSAGES: Any = [{"role": "user", "content": "Hello?"}]
HOUSE = next(vendor for vendor in VENDORS if vendor.provider == "house")

REFUSALS = {
    "bad request": (400, "BadRequestError", "BadRequestError"),
    "our key": (401, "InternalServerError", "InternalServerError"),
    "unknown model": (404, "NotFoundError", "NotFoundError"),
    "rate limit": (429, "RateLimitError", "RateLimitError"),
    "failure": (500, "InternalServerError", "InternalServerError"),
    "overload": (503, "InternalServerError", "OverloadedError"),
}
"""What the provider says, and what an application sees. A provider that refuses *our* key is not the caller's 401."""


@every_vendor
@pytest.mark.parametrize("kind", REFUSALS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_refusal_raises_the_sdks_own_error_once(
    vendor: Vendor, kind: str, stream: bool, sdk: Speaker, upstream: RecordingUpstream
) -> None:
    """The class, the words, what `retry-after` said, and one call of the provider per call of the application."""
    status, of_openai, of_anthropic = REFUSALS[kind]
    status = vendor.overload if kind == "overload" else status
    upstream.answer = vendor.refuses(status, "upstream said so", ("retry-after", "0.2"))
    with pytest.raises(getattr(openai, of_openai)) as raised:
        sdk.get(sdk.openai.chat.completions.create(model=vendor.name, messages=MESSAGES, stream=stream))
    headers = raised.value.response.headers
    assert headers["x-should-retry"] == "false"
    assert headers["x-request-id"].startswith("req_")
    assert raised.value.request_id == headers["x-request-id"]
    assert vendor.authenticated(upstream.only())
    with pytest.raises(getattr(anthropic, of_anthropic)) as refused:
        sdk.get(
            sdk.anthropic.messages.create(model=vendor.name, max_tokens=9, messages=MESSAGES, stream=stream)
        )
    assert refused.value.request_id.startswith("req_")
    assert refused.value.response.headers["x-should-retry"] == "false"
    upstream.only()
    if kind == "rate limit":
        for said in (headers, refused.value.response.headers):
            assert (said["retry-after"], said["retry-after-ms"]) == ("1", "200")
    if kind == "bad request":
        assert "upstream said so" in str(raised.value)
        assert "upstream said so" in str(refused.value)


def test_a_wrong_key_is_refused_before_any_provider_is_asked(
    gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """401 in both families, and no second try."""
    upstream.answer = HOUSE.says(Said("never"))
    with (
        openai.OpenAI(api_key="hg_wrong", base_url=f"{gateway.url}/v1") as open_ai,
        pytest.raises(openai.AuthenticationError) as raised,
    ):
        open_ai.chat.completions.create(model=HOUSE.name, messages=MESSAGES)
    assert raised.value.code == "invalid_api_key"
    with (
        anthropic.Anthropic(api_key="hg_wrong", base_url=gateway.url) as claude,
        pytest.raises(anthropic.AuthenticationError) as refused,
    ):
        claude.messages.create(model=HOUSE.name, max_tokens=9, messages=MESSAGES)
    assert refused.value.type == "authentication_error"
    assert upstream.take() == []


def test_an_unknown_model_is_not_found_and_near_names_are_told(
    sdk: Speaker, upstream: RecordingUpstream
) -> None:
    """404 in both families; the message helps."""
    with pytest.raises(openai.NotFoundError, match="small") as raised:
        sdk.get(sdk.openai.chat.completions.create(model="smal", messages=MESSAGES))
    assert raised.value.code == "model_not_found"
    with pytest.raises(anthropic.NotFoundError, match="small"):
        sdk.get(sdk.anthropic.messages.create(model="smal", max_tokens=9, messages=MESSAGES))
    assert upstream.take() == []


def test_a_request_without_messages_names_the_field(blocking: Speaker, upstream: RecordingUpstream) -> None:
    """Where Headgate has to read the request, 400 names what is wrong."""
    vendor = next(vendor for vendor in VENDORS if vendor.provider == "gemini")
    upstream.answer = vendor.says(Said("never"))
    with pytest.raises(openai.BadRequestError) as raised:
        blocking.openai.chat.completions.create(model=vendor.name, messages=[{"role": "user", "content": 7}])
    assert "messages[0].content" in (raised.value.param or "")
    assert upstream.take() == []


def silent(received: Received) -> Answered:
    """A head at once, then nothing for a long time."""

    async def nothing() -> AsyncIterator[bytes]:
        await asyncio.sleep(30)
        yield b"never"

    return Answered(nothing(), headers=[("content-type", "text/event-stream")])


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_silent_provider_times_out_as_504_once(
    stream: bool, blocking: Speaker, upstream: RecordingUpstream
) -> None:
    """The feature's deadline counts, the status says whose fault it is, and nobody tries again."""
    upstream.answer = silent
    with pytest.raises(openai.InternalServerError) as raised:
        blocking.openai.chat.completions.create(model="hurried", messages=MESSAGES, stream=stream)
    assert raised.value.status_code == 504
    assert (raised.value.code or "").endswith("timeout")
    upstream.only()
    with pytest.raises(anthropic.InternalServerError) as refused:
        blocking.anthropic.messages.create(model="hurried", max_tokens=9, messages=MESSAGES, stream=stream)
    assert (refused.value.status_code, refused.value.type) == (504, "timeout_error")
    upstream.only()


def cut_after(pieces: list[bytes]) -> Any:
    """A stream that breaks off: the connection is closed before its end was said."""

    async def some() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        raise ConnectionError("cut on purpose")

    return some()


@every_vendor
def test_a_cut_stream_is_never_a_success(vendor: Vendor, sdk: Speaker, upstream: RecordingUpstream) -> None:
    """What came is delivered, then both SDKs raise; nobody asks twice."""
    pieces = vendor.pieces(Said("Eins zwei drei vier fünf sechs sieben."))
    upstream.answer = lambda received: Answered(cut_after(pieces[:5]), headers=vendor.stream_headers())
    said: list[str] = []
    with pytest.raises(openai.APIError) as raised:
        _read_openai(sdk, vendor, said)
    assert "".join(said) != "" and "Eins zwei drei vier fünf sechs sieben.".startswith("".join(said))
    assert raised.value.code == "upstream_cut"
    upstream.only()
    with pytest.raises(anthropic.APIStatusError):
        sdk.fold(
            sdk.anthropic.messages.stream(model=vendor.name, max_tokens=9, messages=MESSAGES),
            "get_final_message",
        )
    upstream.only()


def _read_openai(sdk: Speaker, vendor: Vendor, said: list[str]) -> None:
    def note(chunk: Any) -> None:
        said.extend(choice.delta.content or "" for choice in chunk.choices)

    stream = sdk.get(sdk.openai.chat.completions.create(model=vendor.name, messages=MESSAGES, stream=True))
    if sdk.kind == "sync":
        for chunk in stream:
            note(chunk)
        return

    async def read() -> None:
        async for chunk in stream:
            note(chunk)

    sdk.get(read())


def test_an_unreachable_provider_is_a_502(blocking: Speaker) -> None:
    """Nobody listens at its address; the application hears of it as a server's failure."""
    with pytest.raises(openai.InternalServerError) as raised:
        blocking.openai.chat.completions.create(model="nobody/home", messages=MESSAGES)
    assert (raised.value.status_code, raised.value.code) == (502, "connect_failed")
