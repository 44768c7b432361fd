"""Golden files for upstream wires: canonical requests, whole replies and streams, with what each must become."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from headgate.core.events import AnswerBuilder, Event, Failure
from headgate.core.messages import (
    Answer,
    ChatRequest,
    EmbeddingsRequest,
    File,
    Image,
    Message,
    Opaque,
    ResponseFormat,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from headgate.providers.port import Headers, StreamDecoder

__all__ = [
    "CHATS",
    "JSON_VALUES",
    "UNHURRIED",
    "cases",
    "decode_stream",
    "embeddings_from",
    "headers",
    "plain_answer",
    "plain_events",
    "request_from",
]

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""A shared machine is slow at times; that is no finding."""

_WORDS = st.text(max_size=6) | st.sampled_from(
    ["", "{}", '{"a": 1}', "[1]", "a:b", "AAAA", "image/png", "text/plain"]
)
_RAW = JSON_VALUES.map(lambda value: msgspec.Raw(msgspec.json.encode(value)))
_EXTRA = st.dictionaries(st.sampled_from(["cache_control", "caller"]), _RAW, max_size=1)
_TEXT = st.builds(Text, text=_WORDS, extra=_EXTRA)
_IMAGE = st.builds(Image, url=_WORDS, data=_WORDS, media_type=_WORDS)
_FILE = st.builds(File, url=_WORDS, data=_WORDS, media_type=_WORDS, name=_WORDS, file_id=st.just("") | _WORDS)
_PARTS = st.one_of(
    _TEXT,
    _IMAGE,
    _FILE,
    st.builds(Thinking, text=_WORDS, signature=_WORDS, redacted=st.just("") | _WORDS),
    st.builds(ToolCall, id=_WORDS, name=_WORDS, arguments=_WORDS, extra=_EXTRA),
    st.builds(ToolResult, call_id=_WORDS, name=_WORDS, content=st.lists(_TEXT | _IMAGE, max_size=2)),
    st.builds(
        Opaque, wire=st.sampled_from(["anthropic.messages", "gemini.generate", "bedrock.converse"]), raw=_RAW
    ),
)
CHATS = st.builds(
    ChatRequest,
    model=st.just("m"),
    messages=st.lists(
        st.builds(Message, role=st.sampled_from(["user", "assistant"]), parts=st.lists(_PARTS, max_size=4)),
        max_size=4,
    ),
    system=st.lists(_TEXT, max_size=2),
    tools=st.lists(st.builds(Tool, name=_WORDS, description=_WORDS, extra=_EXTRA), max_size=2),
    tool_choice=st.none()
    | st.builds(ToolChoice, mode=st.sampled_from(["auto", "none", "any", "one"]), name=_WORDS),
    response_format=st.none() | st.just(ResponseFormat()),
    max_tokens=st.none() | st.integers(1, 9),
    thinking_budget=st.none() | st.integers(0, 3000),
    effort=st.sampled_from(["", "none", "low", "odd"]),
    extra=st.dictionaries(st.sampled_from(["output_config", "thinking", "logprobs"]), _RAW, max_size=2),
    extra_wire=st.sampled_from(["", "openai.chat", "anthropic.messages"]),
)
"""Requests of every shape the canonical types allow, sensible or not."""

_GOLDEN = Path(__file__).parent.parent / "golden"


def cases(vendor: str, name: str) -> list[Any]:
    """The cases of a golden file, each a mapping with at least `about`."""
    found = json.loads((_GOLDEN / vendor / name).read_text())
    assert isinstance(found, list)
    return found


def request_from(plain: dict[str, Any]) -> ChatRequest:
    """A canonical request from its JSON."""
    return msgspec.json.decode(json.dumps(plain), type=ChatRequest)


def embeddings_from(plain: dict[str, Any]) -> EmbeddingsRequest:
    """A canonical embeddings request from its JSON."""
    return EmbeddingsRequest(**plain)


def plain_answer(answer: Answer) -> Any:
    """An answer as JSON, raw parts included."""
    return json.loads(msgspec.json.encode(answer))


def plain_events(events: Iterable[Event]) -> list[Any]:
    """Events as `[kind, {fields that are not defaults}]`."""
    return [_plain_event(event) for event in events]


def _plain_event(event: Event) -> list[Any]:
    if isinstance(event, Failure):
        return ["Failure", {"error": type(event.error).__name__, "message": event.error.detail}]
    fields = {}
    for field in msgspec.structs.fields(event):
        value = getattr(event, field.name)
        default = field.default
        if field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if value != default:
            fields[field.name] = (
                json.loads(msgspec.json.encode(value)) if field.name != "raw" else json.loads(value)
            )
    return [type(event).__name__, fields]


def decode_stream(decoder: StreamDecoder, pieces: Iterable[bytes]) -> tuple[list[Event], bytes, Answer]:
    """Feed all pieces and finish: the events, the passed bytes joined, the folded answer."""
    events: list[Event] = []
    passed = b""
    for frame in [*(decoder.feed(piece) for piece in pieces), decoder.finish()]:
        if frame is not None:
            events += frame.events
            passed += frame.data or b""
    builder = AnswerBuilder()
    for event in events:
        builder.add(event)
    return events, passed, builder.answer()


def headers(**values: str) -> Headers:
    """Reply headers; underscores in names become dashes."""
    return Headers((name.replace("_", "-").encode(), value.encode()) for name, value in values.items())
