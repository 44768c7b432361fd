"""Canonical streams, and what each dialect must make of them: `<dialect>/<script>.sse` beside this file.

The expected files were read against the vendors' documentation and are parsed by the vendors' SDKs in
`tests/unit/edge/dialects/test_sdk_*.py`. After a wanted change: `python -m tests.golden.dialects.scripts`, then read
the difference.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from headgate.core.errors import ProviderOverloaded
from headgate.core.events import (
    Begin,
    End,
    Event,
    Failure,
    OpaqueDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
    UsageReport,
)
from headgate.core.usage import Usage
from headgate.edge.dialects.anthropic_messages import AnthropicMessages
from headgate.edge.dialects.openai_chat import OpenAIChat
from headgate.edge.dialects.openai_responses import OpenAIResponses
from headgate.exchange.dialect import Dialect, Peek

__all__ = ["DIALECTS", "FOLDER", "PEEK", "SCRIPTS", "encode", "expected"]

FOLDER = Path(__file__).parent
PEEK = Peek(model="asked", stream=True, include_usage=True, max_tokens=100)

DIALECTS: dict[str, Callable[[], Dialect]] = {
    "openai_chat": lambda: OpenAIChat(now=lambda: 1_700_000_000.5),
    "openai_responses": lambda: OpenAIResponses(now=lambda: 1_700_000_000.5),
    "anthropic_messages": AnthropicMessages,
}

USAGE = UsageReport(
    usage=Usage(input=20, cache_read=100, cache_write=7, cache_write_1h=3, output=11, reasoning=5)
)


def _script(*events: Event) -> list[Event]:
    return [Begin(id="id_1", model="model-9", created=1_600_000_000), *events]


def _call(index: int, name: str) -> Event:
    return ToolCallBegin(index=index, id=f"call_{index}", name=name)


def _piece(index: int, arguments: str) -> Event:
    return ToolCallDelta(index=index, arguments=arguments)


SCRIPTS: dict[str, list[Event]] = {
    "text": _script(
        TextDelta(text="Hel"),
        TextDelta(text='lo,\n"wörld" '),
        TextDelta(text="🌍\u2028中"),
        Stop(reason="end"),
        USAGE,
        End(),
    ),
    "empty": _script(TextDelta(text=""), Stop(reason="end"), End()),
    "stop_sequence": _script(
        TextDelta(text="1 2 3"), Stop(reason="stop_sequence", sequence="4"), USAGE, End()
    ),
    "max_tokens": _script(TextDelta(text="and then"), Stop(reason="max_tokens"), USAGE, End()),
    "usage_first": _script(
        UsageReport(usage=Usage(input=4)),
        TextDelta(text="a"),
        Stop(reason="end"),
        UsageReport(usage=Usage(input=4, output=1)),
        End(),
    ),
    "parallel_tools": _script(
        _call(0, "weather"),
        _call(1, "time"),
        _piece(1, '{"zo'),
        _piece(0, '{"city":'),
        _piece(1, 'ne":"CET"}'),
        _piece(0, '"Köln"}'),
        _call(2, "now"),
        Stop(reason="tool_use"),
        USAGE,
        End(),
    ),
    "calls_in_turn": _script(
        TextDelta(text="I look."),
        _call(0, "weather"),
        _piece(0, '{"city":"Köln"}'),
        _call(1, "time"),
        _piece(1, "{}"),
        TextDelta(text="Looked."),
        Stop(reason="end"),
        End(),
    ),
    "thinking": _script(
        ThinkingDelta(text="Let me "),
        ThinkingDelta(text="see."),
        ThinkingDelta(signature="c2ln"),
        ThinkingDelta(redacted="c2VjcmV0"),
        TextDelta(text="It is "),
        TextDelta(text="42."),
        _call(0, "check"),
        _piece(0, '{"n":'),
        _piece(0, "42}"),
        Stop(reason="tool_use"),
        USAGE,
        End(),
    ),
    "refusal": _script(TextDelta(text="I can't", kind="refusal"), Stop(reason="end"), USAGE, End()),
    "filtered": _script(TextDelta(text="So you"), Stop(reason="content_filter"), End()),
    "two_choices": _script(
        TextDelta(text="one"),
        TextDelta(text="two", choice=1),
        Stop(reason="end"),
        Stop(reason="max_tokens", choice=1),
        End(),
    ),
    "error": _script(
        TextDelta(text="Hel"),
        Failure(error=ProviderOverloaded("the provider is overloaded; try again later", retry_after=2)),
        TextDelta(text="never"),
        End(),
    ),
    "search": _script(
        OpaqueDelta(wire="anthropic.messages", name="content_block_start", raw=b"{}"),
        OpaqueDelta(
            wire="anthropic.messages",
            name="content_block_stop",
            raw=b"{}",
            part=msgspec.Raw(
                b'{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query":"x"}}'
            ),
        ),
        TextDelta(text="Found."),
        OpaqueDelta(
            wire="anthropic.messages",
            name="content_block_delta",
            raw=b'{"type":"content_block_delta","index":7,"delta":{"type":"citations_delta","citation":'
            b'{"type":"char_location","cited_text":"F","document_index":0,"document_title":"T",'
            b'"start_char_index":0,"end_char_index":1,"file_id":null}}}',
        ),
        Stop(reason="end"),
        End(),
    ),
}


def encode(dialect: str, events: list[Event], *, at_once: bool = False) -> bytes:
    """The stream a dialect writes, event by event or all in one call."""
    encoder = DIALECTS[dialect]().encoder(PEEK)
    if at_once:
        return encoder.feed(events)
    return b"".join(encoder.feed([event]) for event in events)


def expected(dialect: str, script: str) -> bytes:
    """What must come out."""
    return (FOLDER / dialect / f"{script}.sse").read_bytes()


def _write() -> None:
    for dialect in DIALECTS:
        (FOLDER / dialect).mkdir(exist_ok=True)
        for name, events in SCRIPTS.items():
            (FOLDER / dialect / f"{name}.sse").write_bytes(encode(dialect, events))


if __name__ == "__main__":
    _write()
