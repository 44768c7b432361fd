"""Every script, in every dialect, byte for byte."""

from __future__ import annotations

import json

import pytest

from tests.golden.dialects.scripts import DIALECTS, FOLDER, SCRIPTS, encode, expected

CASES = [(dialect, script) for dialect in DIALECTS for script in SCRIPTS]


@pytest.mark.parametrize(("dialect", "script"), CASES)
def test_a_stream_is_written_as_its_golden_file_says(dialect: str, script: str) -> None:
    """The bytes are the file's, whether events come one by one or all at once."""
    assert encode(dialect, SCRIPTS[script]) == expected(dialect, script)
    assert encode(dialect, SCRIPTS[script], at_once=True) == expected(dialect, script)


def test_every_golden_file_has_its_script() -> None:
    """A file nobody compares with would rot."""
    files = {(path.parent.name, path.stem) for path in FOLDER.glob("*/*.sse")}
    assert files == set(CASES)


@pytest.mark.parametrize(("dialect", "script"), CASES)
def test_every_event_is_lines_of_json(dialect: str, script: str) -> None:
    """One `data` line per event, and no character on it that a client may take for the end of a line."""
    for event in encode(dialect, SCRIPTS[script]).decode().split("\n\n")[:-1]:
        lines = event.splitlines()
        data = lines[-1].removeprefix("data: ")
        assert data == "[DONE]" or json.loads(data)
        assert len(lines) == (1 if dialect == "openai_chat" else 2)
        if len(lines) == 2:
            assert lines[0] == "event: " + json.loads(data)["type"]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_after_an_error_nothing_follows(dialect: str) -> None:
    """A cut answer is never made to look complete."""
    encoder_bytes = encode(dialect, SCRIPTS["error"])
    assert b"never" not in encoder_bytes
    for ending in (b"[DONE]", b"message_stop", b"response.completed", b'finish_reason":"stop'):
        assert ending not in encoder_bytes


@pytest.mark.parametrize("script", SCRIPTS)
def test_anthropic_blocks_never_overlap(script: str) -> None:
    """Start, deltas and stop of one index, then the next index; what the vendor's SDK relies on."""
    live, last = None, -1
    for event in encode("anthropic_messages", SCRIPTS[script]).decode().split("\n\n")[:-1]:
        data = json.loads(event.partition("data: ")[2])
        kind = data["type"]
        if kind == "content_block_start":
            assert live is None
            assert data["index"] == last + 1
            live = last = data["index"]
        elif kind == "content_block_delta":
            assert data["index"] == live
        elif kind == "content_block_stop":
            assert data["index"] == live
            live = None
        elif kind != "error":
            assert live is None


@pytest.mark.parametrize("script", SCRIPTS)
def test_response_events_are_numbered_without_gaps(script: str) -> None:
    """`sequence_number` counts every event of the stream from 0."""
    events = encode("openai_responses", SCRIPTS[script]).decode().split("\n\n")[:-1]
    numbers = [json.loads(event.partition("data: ")[2])["sequence_number"] for event in events]
    assert numbers == list(range(len(events)))
