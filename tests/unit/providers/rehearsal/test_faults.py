"""How faults are written, and how bodies are cut into what they are counted in."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.providers.port import Headers
from headgate.providers.rehearsal.bodies import error_event
from headgate.providers.rehearsal.faults import FAULTS, parse_fault
from headgate.providers.rehearsal.pieces import Pieces, ends_the_answer
from headgate.providers.simulated.faults import FAULTS as SIMULATED
from tests.support.wires import UNHURRIED
from tests.unit.providers.bedrock.eventstream import event

__all__: list[str] = []

REFERENCE = Path(__file__).resolve().parents[4] / "docs" / "reference" / "rehearsals.md"
SSE = Headers([(b"content-type", b"text/event-stream; charset=utf-8")])
BINARY = Headers([(b"content-type", b"application/vnd.amazon.eventstream")])


@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_can_be_ordered_by_its_name_alone(name: str) -> None:
    """With the argument the table says; and what is written is read again."""
    fault = parse_fault(name)
    assert (fault.name, fault.argument) == (name, FAULTS[name].default)
    assert parse_fault(fault.text) == fault


def test_the_manual_lists_every_fault_as_it_is() -> None:
    """Name, argument, default, meaning, and whether the provider is called."""
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    for kind in FAULTS.values():
        argument = f"{kind.argument} (`{kind.default}`)" if kind.argument else ""
        called = "yes" if kind.stage == "answer" else "no"
        assert f"| `{kind.name}` | {argument} | {kind.meaning} | {called} |" in lines
    assert sum(line.startswith("| `") for line in lines) == len(FAULTS) + 1  # and `headgate chaos list --all`


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("cut:20", "cut:20"),
        (" slow-first-token:1.5 ", "slow_first_token:1.5"),
        ("connect_refused", "refused"),
        ("malformed:2", "malformed_frame:2"),
        ("overloaded_529", "error:529"),
        ("rate_limit:none", "rate_limit:none"),
        ("flapping:1/9", "flapping:1/9"),
    ],
)
def test_faults_are_read_kindly(text: str, means: str) -> None:
    """Other names of the same, hyphens, spaces around."""
    assert parse_fault(text).text == means


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("silense", "did you mean `silence`?"),
        ("", "known are latency,"),
        ("cut:-1", "takes pieces before it"),
        ("cut:many", "takes pieces before it"),
        ("error:200", "an HTTP status from 400 to 599"),
        ("error:abc", "an HTTP status"),
        ("latency:nan", "takes seconds"),
        ("latency:inf", "takes seconds"),
        ("reset:3", "takes no argument"),
        ("flapping:0/3", "takes bad/good"),
        ("error_500:3", "write `error:3`"),
    ],
)
def test_what_is_no_fault_is_answered_with_what_would_be(text: str, told: str) -> None:
    """The nearest name, or what the argument should be."""
    with pytest.raises(ValueError, match=r".") as wrong:
        parse_fault(text)
    assert told in str(wrong.value)


def test_words_shared_with_the_simulated_provider_are_the_same_words() -> None:
    """One vocabulary: what can be ordered there can be ordered here, unless it is about what a model says or knows."""
    about_models = {"quota", "model_unknown", "context_length", "content_filter", "empty", "garbled"}
    for name in SIMULATED.keys() - about_models:
        parse_fault(name)


MESSAGES = st.lists(
    st.builds(event, st.sampled_from(["contentBlockDelta", "messageStop"]), st.just({"a": 1})), max_size=6
).map(b"".join)
EVENTS = st.lists(
    st.sampled_from(
        [b"data: {}\n\n", b"event: x\r\ndata: 1\r\n\r\n", b": ping\n\n", "data: ü\n\n".encode(), b"\n\n"]
    ),
    max_size=8,
).map(b"".join)


@UNHURRIED
@given(st.data())
def test_pieces_joined_are_what_came(data: st.DataObject) -> None:
    """However the bytes are cut on their way, and each piece is complete."""
    headers, body = data.draw(
        st.one_of(st.tuples(st.just(SSE), EVENTS), st.tuples(st.just(BINARY), MESSAGES))
    )
    tail = data.draw(st.sampled_from([b"", body[: len(body) // 3]]))
    splitter, came, at = Pieces(headers), [], 0
    body += tail
    while at < len(body):
        size = data.draw(st.integers(1, 40))
        came += splitter.feed(body[at : at + size])
        at += size
    assert b"".join(came) + splitter.rest() == body
    assert all(piece.endswith((b"\n\n", b"\n\r\n")) or headers is BINARY for piece in came)


@given(st.binary(max_size=200))
def test_any_bytes_can_be_cut(body: bytes) -> None:
    """A provider may send what it likes."""
    for headers in (SSE, BINARY):
        splitter = Pieces(headers)
        assert b"".join(splitter.feed(body)) + splitter.rest() == body


@pytest.mark.parametrize(
    ("piece", "ends"),
    [
        (b"data: [DONE]\n\n", True),
        (b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n', True),
        (b'data: {"choices":[{"delta":{"content":"x"},"finish_reason":null}]}\n\n', False),
        (b'data: {"choices":[{"delta":{"content":"say \\"finish_reason\\":\\"stop\\" [DONE]"}}]}\n\n', False),
        (b'event: message_stop\ndata: {"type":"message_stop"}\n\n', True),
        (b'data: {"type":"message_delta","delta":{"stop_reason":"end_turn"}}\n\n', True),
        (b'data: {"type":"message_start","message":{"stop_reason":null}}\n\n', False),
        (b'data: {"type":"response.completed","response":{}}\n\n', True),
        (b'data: {"type":"response.created","response":{}}\n\n', False),
        (b'data: {"candidates": [{"finishReason": "STOP"}]}\n\n', True),
        (event("messageStop", {"stopReason": "end_turn"}), True),
        (event("metadata", {}), True),
        (event("contentBlockDelta", {"delta": {"text": "messageStop metadata"}}), False),
    ],
)
def test_the_marks_of_the_end_are_known(piece: bytes, ends: bool) -> None:
    """In every wire; a text that talks about them is not one."""
    assert ends_the_answer(piece) == ends


def test_an_error_event_ends_like_every_event() -> None:
    """Nothing follows it that could complete it."""
    for wire in ("openai.chat", "openai.responses", "anthropic.messages", "gemini.generate"):
        assert error_event(wire, "m").endswith(b"\n\n")
