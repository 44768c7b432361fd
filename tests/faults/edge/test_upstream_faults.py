"""A provider that misbehaves, seen through the whole gateway by the vendors' SDKs: the right error, never a success."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import anthropic
import openai
import pytest

from tests.faults.edge.conftest import Behind
from tests.support.aio import aio
from tests.support.chat_wire import STREAM_HEAD, WHOLE, content, finish, framed
from tests.support.fault_server import Peer, fault_server, ok

__all__: list[str] = []

Script = Callable[[Peer, bool, asyncio.Event], Awaitable[None]]
"""(peer, stream, came): `came` is set when the application has seen content."""
MESSAGES: Any = [{"role": "user", "content": "How high is the water?"}]
CUT_WHOLE = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n" + WHOLE[:40]


async def begin(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    """Half an answer; of a stream, what the application has seen before anything else happens."""
    if stream:
        await peer.send(STREAM_HEAD + framed(content("one ")))
        await came.wait()
    else:
        await peer.send(CUT_WHOLE)


async def reset(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    peer.reset()


async def silence(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    await peer.gone()


async def slow_first_token(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    head = STREAM_HEAD if stream else CUT_WHOLE[: -len(WHOLE[:40])]
    await peer.send(head)
    await peer.gone()


async def cut(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    await begin(peer, stream, came)
    peer.reset()


async def closed_early(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    await begin(peer, stream, came)


async def stall(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    await begin(peer, stream, came)
    await peer.gone()


async def malformed(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    if stream:
        await begin(peer, stream, came)
        await peer.send(framed(b'data: {"choices":[{"del\n\n'))
        await peer.gone()
    else:
        await peer.send(ok(WHOLE[:40]))


async def no_terminator(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    if stream:
        await begin(peer, stream, came)
        await peer.send(framed(b""))
    else:
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + framed(WHOLE))


async def error_in_stream(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    error = b'{"error":{"message":"it broke","type":"server_error","code":null}}'
    if stream:
        await begin(peer, stream, came)
        await peer.send(framed(b"data: %b\n\n" % error) + framed(b""))
    else:
        await peer.send(ok(error))


async def early_error(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    error = b'{"error":{"message":"it broke","type":"server_error","code":null}}'
    await peer.send(STREAM_HEAD + framed(b"data: %b\n\n" % error) + framed(b"") if stream else ok(error))


async def html(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    await peer.send(ok(b"<html>Sign in to the Wi-Fi</html>", b"content-type: text/html"))


async def no_http(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    await peer.send(b"220 smtp.example ESMTP\r\n")


async def bad_chunk(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    if stream:
        await begin(peer, stream, came)
        await peer.send(b"zz\r\n")
    else:
        await peer.send(
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + framed(WHOLE[:40]) + b"zz\r\n"
        )


async def huge_head(peer: Peer, stream: bool, came: asyncio.Event) -> None:
    await peer.send(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 300_000 + b"\r\n\r\n")


def says(status: bytes, *lines: bytes) -> Script:
    async def script(peer: Peer, stream: bool, came: asyncio.Event) -> None:
        body = b'{"error":{"message":"upstream said so","type":"x","code":null}}'
        await peer.send(ok(body, b"content-type: application/json", *lines, status=status))

    return script


class Expected(NamedTuple):
    """What callers get. In a stream that had begun: the code in its error event instead of a status."""

    script: Script
    whole: tuple[int, str]
    stream: tuple[int, str] | str


FAULTS = {
    "reset": Expected(reset, (502, "upstream_reset"), (502, "upstream_reset")),
    "silence": Expected(silence, (504, "timeout"), (504, "timeout")),
    "slow first token": Expected(slow_first_token, (504, "timeout"), (504, "timeout")),
    "cut": Expected(cut, (502, "upstream_cut"), "upstream_cut"),
    "closed early": Expected(closed_early, (502, "upstream_cut"), "upstream_cut"),
    "stall": Expected(stall, (504, "timeout"), "between_timeout"),
    "malformed": Expected(malformed, (502, "upstream_malformed"), "upstream_malformed"),
    "no terminator": Expected(no_terminator, (502, "upstream_cut"), "upstream_cut"),
    "error in stream": Expected(error_in_stream, (502, "provider_failed"), "provider_failed"),
    "early error": Expected(early_error, (502, "provider_failed"), (502, "provider_failed")),
    "html": Expected(html, (502, "upstream_malformed"), (502, "")),
    "no HTTP": Expected(no_http, (502, "upstream_malformed"), (502, "upstream_malformed")),
    "bad chunk": Expected(bad_chunk, (502, "upstream_malformed"), "upstream_malformed"),
    "huge head": Expected(huge_head, (502, "upstream_malformed"), (502, "upstream_malformed")),
    "429": Expected(
        says(b"429 Slow Down", b"retry-after: 7"),
        (429, "provider_rate_limited"),
        (429, "provider_rate_limited"),
    ),
    "401": Expected(says(b"401 No"), (502, "provider_auth_failed"), (502, "provider_auth_failed")),
    "500": Expected(says(b"500 Broken"), (502, "provider_failed"), (502, "provider_failed")),
    "503": Expected(says(b"503 Busy"), (503, "provider_overloaded"), (503, "provider_overloaded")),
}
IMPATIENT = {"silence": "hurried", "slow first token": "hurried", "stall": "stalling"}
"""What is about time is asked of a feature with little of it; all else has as much as a busy machine takes."""
RESTS = {"429", "401"}
"""After these the endpoint is left alone for a while."""
CONTENT_FIRST = {"cut", "closed early", "stall", "malformed", "no terminator", "error in stream", "bad chunk"}


class Seen(NamedTuple):
    """What an application saw."""

    status: int
    code: str
    retry: str
    text: str


async def by_chat(behind: Behind, model: str, stream: bool, came: asyncio.Event) -> Seen:
    async with openai.AsyncOpenAI(
        api_key=behind.gateway.key, base_url=f"{behind.gateway.url}/v1", max_retries=0
    ) as client:
        text = ""
        try:
            reply: Any = await client.chat.completions.create(model=model, messages=MESSAGES, stream=stream)
            if stream:
                async for event in reply:
                    text += event.choices[0].delta.content or ""
                    came.set()
        except openai.APIStatusError as error:
            return _seen(error, error.code, text)
        except openai.APIError as error:
            return Seen(0, error.code or "", "", text)
    raise AssertionError(f"a fault was shown as success: {reply!r} {text}")


async def by_responses(behind: Behind, model: str, stream: bool, came: asyncio.Event) -> Seen:
    async with openai.AsyncOpenAI(
        api_key=behind.gateway.key, base_url=f"{behind.gateway.url}/v1", max_retries=0
    ) as client:
        text, last = "", None
        try:
            reply: Any = await client.responses.create(model=model, input="How high?", stream=stream)
            if stream:
                async for last in reply:
                    if last.type == "response.output_text.delta":
                        text += last.delta
                        came.set()
        except openai.APIStatusError as error:
            return _seen(error, error.code, text)
        except openai.APIError as error:
            return Seen(0, error.code or "", "", text)
    assert last is not None and last.type == "response.failed", f"a fault was shown as success: {last!r}"
    assert last.response.status == "failed" and last.response.error.message
    # This API has a closed list of codes; the words are the same as everywhere.
    return Seen(0, "response.failed", "", text)


async def by_messages(behind: Behind, model: str, stream: bool, came: asyncio.Event) -> Seen:
    async with anthropic.AsyncAnthropic(
        api_key=behind.gateway.key, base_url=behind.gateway.url, max_retries=0
    ) as client:
        text = ""
        try:
            if stream:
                async with client.messages.stream(model=model, max_tokens=50, messages=MESSAGES) as events:
                    async for piece in events.text_stream:
                        text += piece
                        came.set()
                    reply: Any = await events.get_final_message()
            else:
                reply = await client.messages.create(model=model, max_tokens=50, messages=MESSAGES)
        except anthropic.APIStatusError as error:
            body: Any = error.body
            code = body["error"].get("details", {}).get("error_code", "")
            return _seen(error, code, text) if error.status_code != 200 else Seen(0, code, "", text)
    raise AssertionError(f"a fault was shown as success: {reply!r} {text}")


def _seen(error: Any, code: str | None, text: str) -> Seen:
    assert error.response.headers["x-request-id"].startswith("req_")
    assert error.response.headers["x-should-retry"] == "false"
    return Seen(error.status_code, code or "", error.response.headers.get("retry-after", ""), text)


@pytest.mark.parametrize("ask", [by_chat, by_responses, by_messages])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("fault", FAULTS)
@aio
async def test_a_fault_of_the_provider_is_told_as_what_it_is(
    fault: str,
    stream: bool,
    ask: Callable[[Behind, str, bool, asyncio.Event], Awaitable[Seen]],
    behind: Behind,
) -> None:
    """Status and code before the first content, an explicit error after it; nobody is told to try again."""
    expected, came = FAULTS[fault], asyncio.Event()

    async def script(peer: Peer) -> None:
        asked = json.loads((await peer.request()).body)
        assert asked.get("stream", False) is stream
        await expected.script(peer, stream, came)

    async with fault_server(script, port=behind.first) as server:
        model = IMPATIENT.get(fault, "once")
        if fault in RESTS:
            model = f"once-{fault}-{'stream' if stream else 'whole'}-{ask.__name__}"
        seen = await ask(behind, model, stream, came)
        assert len(server.requests) == 1
    wanted = expected.stream if stream else expected.whole
    if isinstance(wanted, str):
        assert seen.status == 0 and seen.text == "one "
        assert seen.code in (wanted, "response.failed")
    else:
        status, code = wanted
        assert seen.status == (529 if status == 503 and ask is by_messages else status)
        assert seen.code.endswith(code or "") and seen.code and seen.text == ""
        assert seen.retry == ("7" if fault == "429" else "")
    assert (fault in CONTENT_FIRST) == isinstance(expected.stream, str)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "fault", ["reset", "silence", "html", "early error", "500", "503", "429", "401", "no HTTP"]
)
@aio
async def test_what_fails_before_content_fails_over(fault: str, stream: bool, behind: Behind) -> None:
    """The application sees the second provider's answer and, in the headers, how it came about."""

    async def bad(peer: Peer) -> None:
        await peer.request()
        await FAULTS[fault].script(peer, stream, asyncio.Event())

    async def good(peer: Peer) -> None:
        while True:
            await peer.request()
            if stream:
                end = framed(finish() + b"data: [DONE]\n\n") + framed(b"")
                await peer.send(STREAM_HEAD + framed(content("one ")) + end)
            else:
                await peer.send(ok(WHOLE))

    model = f"pair-{fault}-{'stream' if stream else 'whole'}" if fault in RESTS else "hasty-pair"
    async with fault_server(bad, port=behind.first), fault_server(good, port=behind.second) as second:
        async with openai.AsyncOpenAI(
            api_key=behind.gateway.key, base_url=f"{behind.gateway.url}/v1", max_retries=0
        ) as client:
            raw = await client.chat.completions.with_raw_response.create(
                model=model, messages=MESSAGES, stream=stream
            )
            reply: Any = raw.parse()
            text = (
                "".join([event.choices[0].delta.content or "" async for event in reply])
                if stream
                else reply.choices[0].message.content
            )
        assert len(second.requests) == 1
    assert text.startswith("one ")
    assert raw.headers["x-headgate-provider"] == "second"
    assert (raw.headers["x-headgate-attempts"], raw.headers["x-headgate-fallback"]) == ("2", "true")
