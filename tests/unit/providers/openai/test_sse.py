"""The splitter every event stream passes through."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import UpstreamMalformed
from headgate.providers.wires.sse import MAX_EVENT_BYTES, SseSplitter, sse_blocks
from tests.support.wires import UNHURRIED

__all__: list[str] = []

STREAM = (
    b"\xef\xbb\xbfdata: a\n\n\n: ping\n\nevent: x\r\ndata:1\r\ndata: 2\r\nid: 7\r\nretry: 3\r\n\r\n\r\n"
    b"event: bare\n\ndata: z\n\r\ndata: \n\ndata\n\nnonsense\n\nrest: of it"
)
EVENTS = [(b"", b"a"), (b"x", b"1\n2"), (b"", b"z"), (b"", b""), (b"", b"")]


def split(pieces: list[bytes]) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """All events, and all bytes that came out again."""
    splitter = SseSplitter()
    events: list[tuple[bytes, bytes]] = []
    passed = b""
    for piece in pieces:
        events += splitter.feed(piece)
        passed += splitter.taken
    return events, passed + splitter.rest()


def test_events_are_read_as_the_standard_says():
    """Names, several data lines, comments, a byte order mark, no space after the colon, either line end."""
    assert split([STREAM]) == (EVENTS, STREAM)


@UNHURRIED
@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_any_split_gives_the_same_events_and_bytes(cuts):
    """Also between the bytes of a line end or of the byte order mark."""
    borders = sorted({0, len(STREAM), *cuts})
    assert split([STREAM[a:b] for a, b in itertools.pairwise(borders)]) == (EVENTS, STREAM)


@UNHURRIED
@given(
    st.lists(st.sampled_from([b"\n", b"\r\n", b"data: x", b"data:", b":", b"event: e", b"y"]), max_size=30)
)
def test_byte_by_byte_says_the_same_as_at_once(pieces):
    """Whatever the lines are, cutting them changes nothing."""
    data = b"data: first\n\n" + b"".join(pieces)
    assert split([data[at : at + 1] for at in range(len(data))]) == split([data])


@UNHURRIED
@given(st.lists(st.sampled_from([b"\n", b"\r\n", b"data: x", b": c"]), max_size=30).map(b"".join))
def test_blocks_joined_are_the_data(data):
    """Dropping one block must leave the others as they were."""
    assert b"".join(sse_blocks(data)) == data


def test_an_event_without_end_is_refused_at_a_bound():
    """An upstream that never ends its event does not fill the memory."""
    splitter = SseSplitter()
    piece = b"data: " + b"x" * 1_000_000
    with pytest.raises(UpstreamMalformed, match="8388608"):
        for _ in range(MAX_EVENT_BYTES // len(piece) + 1):
            splitter.feed(piece)


def test_a_large_event_in_small_pieces_is_joined_once():
    """The pieces of an event are kept apart until its end comes: no piece copies all before it."""
    splitter = SseSplitter()
    data = b"data: " + b"y" * 3_000_000 + b"\n\n"
    events = [event for at in range(0, len(data), 1000) for event in splitter.feed(data[at : at + 1000])]
    assert events == [(b"", data[6:-2])] and splitter.taken == data


@pytest.mark.parametrize("body", [b"<html>", b"  \n<!doctype html>", b"\xef\xbb\xbf<p>"])
def test_html_is_told_at_once(body):
    """A login page or a proxy's error is no stream, and waiting for its end helps nobody."""
    splitter = SseSplitter()
    with pytest.raises(UpstreamMalformed, match="HTML"):
        for at in range(len(body)):
            splitter.feed(body[at : at + 1])


@pytest.mark.parametrize("body", [b'{"error":\n\n"x"}', b' [\n\n{"error": 1}]'])
def test_json_is_kept_apart_whole(body):
    """Also when it holds blank lines that look like the end of an event."""
    splitter = SseSplitter()
    assert [splitter.feed(body[at : at + 1]) for at in range(len(body))] == [[]] * len(body)
    assert splitter.plain and splitter.rest() == body
