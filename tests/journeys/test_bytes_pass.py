"""Same dialect in and out, and nobody edits: bytes pass untouched but for the model's name, unknown fields included."""

from __future__ import annotations

import gzip
import http.client
import json
from typing import Any

import pytest

from tests.support.gateway import RunningGateway
from tests.support.recording_upstream import Answered, RecordingUpstream
from tests.support.vendors import VENDORS, Said, Vendor

__all__: list[str] = []

BY_NAME = {vendor.provider: vendor for vendor in VENDORS}
ANSWER = Said("Grüße! 🌊")

CHAT = (
    b'{ "temperature":0.70,\n\t"x_unheard_of" : {"deep":[1.50, null, "\\u00e9"]}, "model" : "%b","messages":'
    b'[ {"role":"user","content":"h\\u00e9\xc3\xa9","x_own":1E2} ]%b, "n":1.0 }'
)
MESSAGES = (
    b'{"max_tokens":9 ,"x_unheard_of":{"deep":[1.50]},"model":"%b","messages":[{"role":"user","content":'
    b'[{"type":"text","text":"h\\u00e9","cache_control":{"type":"ephemeral"}}]}]%b}'
)
RESPONSES = b'{"input":"h\\u00e9" , "x_unheard_of":[ 1.0 ], "model":"%b"%b,"store":false}'
EMBEDDINGS = b'{"input" :[ "h\\u00e9","b"],"model":"%b", "x_unheard_of": 1.50%b}'

SAME = [
    ("openai", "/v1/chat/completions", CHAT),
    ("openai", "/v1/responses", RESPONSES),
    ("openai", "/v1/embeddings", EMBEDDINGS),
    ("house", "/v1/chat/completions", CHAT),
    ("azure", "/v1/chat/completions", CHAT),
    ("azure", "/v1/responses", RESPONSES),
    ("claude", "/v1/messages", MESSAGES),
]
same = pytest.mark.parametrize(
    ("provider", "path", "template"), SAME, ids=lambda value: value if isinstance(value, str) else ""
)


def ask(gateway: RunningGateway, path: str, body: bytes) -> tuple[int, bytes]:
    """One request without any SDK: what is sent is what is written here."""
    host = gateway.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=20)
    headers = {
        "authorization": f"Bearer {gateway.key}",
        "content-type": "application/json",
        "x-caller": "kept out",
        "x-headgate-prompt": "greeting@7",
        "x-headgate-variables": '{"name": "kept out"}',
    }
    connection.request("POST", path, body, headers)
    reply = connection.getresponse()
    answered = reply.status, reply.read()
    connection.close()
    return answered


@same
def test_a_whole_answer_and_its_request_pass_untouched(
    provider: str, path: str, template: bytes, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """Spaces, order, numbers and escapes arrive as they were written; so do the provider's."""
    vendor = BY_NAME[provider]
    upstream.answer = vendor.says(ANSWER)
    status, body = ask(gateway, path, template % (vendor.name.encode(), b""))
    received = upstream.only()
    assert status == 200
    assert received.body == template % (vendor.model.encode(), b"")
    answered = upstream.answer(received).body
    assert body == answered
    assert b"x_unheard_of" in body or "embeddings" in path
    assert received.header("x-caller") is None, "headers of the caller stay here"
    assert not [name for name, _ in received.headers if name.startswith("x-headgate-")]
    assert gateway.key not in str(received.headers)


STREAMED = [(provider, path, template) for provider, path, template in SAME if "embeddings" not in path]


@pytest.mark.parametrize(
    ("provider", "path", "template"), STREAMED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_stream_passes_untouched(
    provider: str, path: str, template: bytes, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """Where the caller asked for usage itself, nothing is added to its request and nothing taken from the reply."""
    vendor = BY_NAME[provider]
    upstream.answer = vendor.says(ANSWER)
    usage = b',"stream_options":{"include_usage":true}' if "chat" in path else b""
    body = template % (b"%b", b',"stream":true' + usage)
    status, streamed = ask(gateway, path, body % vendor.name.encode())
    received = upstream.only()
    assert status == 200
    assert received.body == body % vendor.model.encode()
    pieces = upstream.answer(received).body
    assert isinstance(pieces, list)
    assert events(streamed) == events(b"".join(pieces))
    assert b"x_unheard_of" in streamed


def events(stream: bytes) -> list[bytes]:
    """The events, without comments: what Headgate adds at the end is one."""
    return [event for event in stream.split(b"\n\n") if event and not event.startswith(b":")]


@pytest.mark.parametrize("provider", ["openai", "house", "azure"])
def test_usage_is_asked_for_and_its_chunk_taken_out(
    provider: str, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """The one field added to a streamed chat, and the one chunk the caller does not get for it."""
    vendor = BY_NAME[provider]
    upstream.answer = vendor.says(ANSWER)
    body = CHAT % (b"%b", b',"stream":true')
    _, streamed = ask(gateway, "/v1/chat/completions", body % vendor.name.encode())
    received = upstream.only()
    sent = json.loads(received.body)
    assert sent.pop("stream_options") == {"include_usage": True}
    assert sent == json.loads(body % vendor.model.encode())
    pieces = upstream.answer(received).body
    assert isinstance(pieces, list)
    without: Any = [piece for piece in pieces if b'"choices": []' not in piece]
    assert len(without) == len(pieces) - 1
    assert events(streamed) == events(b"".join(without))


@pytest.mark.parametrize("provider", ["openai", "house", "claude"])
def test_a_refusal_of_the_callers_request_passes_untouched(
    provider: str, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """The provider's own words about the caller's own mistake."""
    vendor: Vendor = BY_NAME[provider]
    path, template = ("/v1/messages", MESSAGES) if provider == "claude" else ("/v1/chat/completions", CHAT)
    upstream.answer = vendor.refuses(400, "no such färbe")
    status, body = ask(gateway, path, template % (vendor.name.encode(), b""))
    assert (status, body) == (400, vendor.error(400, "no such färbe"))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_a_compressed_reply_is_unpacked(
    stream: bool, gateway: RunningGateway, upstream: RecordingUpstream
) -> None:
    """What the provider squeezed for its way to us arrives as it was before."""
    vendor = BY_NAME["house"]
    said = vendor.pieces(ANSWER) if stream else [vendor.whole(ANSWER)]
    squeezed = gzip.compress(b"".join(said))
    headers = [("content-type", "text/event-stream"), ("content-encoding", "gzip")]
    upstream.answer = lambda received: Answered([squeezed[:40], squeezed[40:]], headers=headers)
    more = b',"stream":true,"stream_options":{"include_usage":true}' if stream else b""
    status, body = ask(gateway, "/v1/chat/completions", CHAT % (vendor.name.encode(), more))
    assert status == 200
    assert events(body) == events(b"".join(said))
