"""Traces: following requests as they are stored, and everything about one."""

from __future__ import annotations

import msgspec
import pytest

from headgate.control.traces import (
    around,
    given_again,
    memory_words,
    reply_text,
    saved_words,
    show,
    tail,
)
from headgate.core.messages import Answer, Choice, Text
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from tests.support.aio import aio

__all__: list[str] = []

CLAUDE = (
    b'{"type":"message","content":[{"type":"thinking","thinking":"hm","text":"no"},'
    b'{"type":"text","text":"Two "},{"type":"text","text":"metres."}]}'
)
RESPONSE = (
    b'{"output":[{"type":"reasoning","summary":[{"text":"no"}]},'
    b'{"type":"message","content":[{"type":"output_text","text":"Two metres."}]}]}'
)


def kept(kind: str, data: bytes) -> Content:
    return Content(hash=kind, kind=kind, data=data, size=len(data))


def write(store: MemorySpans, *rows: RequestRow, attempts=(), contents=()) -> None:
    store.write(
        Batch(journal="j", position=Position(1, 1), requests=rows, attempts=attempts, contents=contents)
    )


@aio
async def test_tail_shows_the_last_ones_and_then_every_new_one() -> None:
    """In the order of storing; one with an older id is not missed."""
    store = MemorySpans()
    write(store, *[RequestRow(n, 0, "t") for n in (1, 2, 3)])
    seen = tail(store, last=2, poll_seconds=0.001)
    assert [(await anext(seen)).id for _ in range(2)] == [2, 3]
    write(store, RequestRow(10, 0, "t"))
    assert (await anext(seen)).id == 10
    write(store, RequestRow(5, 0, "t"), RequestRow(11, 0, "t"))
    assert [(await anext(seen)).id for _ in range(2)] == [5, 11]


@aio
async def test_tail_without_a_past_begins_now() -> None:
    """Thousands of stored requests are not poured over whoever starts looking."""
    store = MemorySpans()
    write(store, *[RequestRow(n, 0, "t") for n in range(1, 2000)])
    seen = tail(store, poll_seconds=0.001)
    write(store, *[RequestRow(n, 0, "t") for n in range(5000, 5002)])
    # The position is taken when the first row is asked for, so what is stored after that is what is seen.
    first = tail(store, last=1, poll_seconds=0.001)
    assert (await anext(first)).id == 5001
    await seen.aclose()  # type: ignore[attr-defined]


@aio
async def test_show_gathers_everything_about_one_request() -> None:
    """Row, attempts, what was asked, what was answered."""
    store = MemorySpans()
    row = RequestRow(1, 0, "t", request_content="openai.chat", reply_content="canonical")
    attempt = AttemptRow(2, 1, 1, "p", "m")
    answer = msgspec.json.encode(Answer(choices=[Choice(parts=[Text(text="Two metres.")])]))
    write(store, row, attempts=[attempt], contents=[kept("openai.chat", b"{}"), kept("canonical", answer)])
    shown = await show(store, 1)
    assert shown is not None
    assert (shown.request, list(shown.attempts), shown.reply_text) == (row, [attempt], "Two metres.")
    assert shown.prompt is not None and shown.prompt.data == b"{}"
    assert await show(store, 2) is None


@aio
async def test_show_does_without_contents_that_are_gone() -> None:
    """Deleted contents leave the figures."""
    store = MemorySpans()
    write(store, RequestRow(1, 0, "t", request_content="gone", reply_content="gone too"))
    shown = await show(store, 1)
    assert shown is not None and (shown.prompt, shown.reply, shown.reply_text) == (None, None, "")


@pytest.mark.parametrize(
    ("kind", "data", "text"),
    [
        (
            "openai.chat",
            b'{"id":"x","choices":[{"message":{"role":"assistant","content":"Two metres."}}]}',
            "Two metres.",
        ),
        ("anthropic.messages", CLAUDE, "Two metres."),
        ("openai.responses", RESPONSE, "Two metres."),
        ("gemini", b'{"candidates":[{"content":{"parts":[{"text":"Two metres."}]}}]}', "Two metres."),
        ("bedrock.converse", b'{"output":{"message":{"content":[{"text":"Two metres."}]}}}', "Two metres."),
        ("openai.chat", b'{"choices":[{"message":{"content":null}}]}', ""),
        ("openai.chat", b'{"choices":[{"mess', ""),
        ("openai.chat", b"[]", ""),
        ("canonical", b"{}", ""),
        ("canonical", b"\xff", ""),
    ],
)
def test_the_text_of_an_answer_is_found_in_every_format(kind: str, data: bytes, text: str) -> None:
    """Also of one that is cut off or has none."""
    assert reply_text(kept(kind, data)) == text


@pytest.mark.parametrize(
    ("given", "words", "saved"),
    [
        ({}, "", ""),
        (
            {"cache": "exact", "avoided_nanos": 1_200_000, "avoided_us": 2_340_000},
            "exact hit",
            "$0.0012 and 2.3 s",
        ),
        ({"cache": "semantic", "similarity": 973_000}, "semantic hit, 97.3 % sure", ""),
        ({"cache": "joined", "avoided_nanos": 2 * 10**9}, "joined call", "$2.00"),
        ({"cache": "stale", "avoided_us": 80_000}, "stale hit", "80 ms"),
        ({"cache": "miss"}, "miss", ""),
        ({"cache": "bypass", "notes": '{"cache":"it asks about now"}'}, "bypass: it asks about now", ""),
        ({"cache": "bypass", "notes": "broken"}, "bypass", ""),
        ({"cache": "refreshed"}, "renewed the entry", ""),
    ],
)
def test_what_memory_did_is_told_in_words(given: dict[str, object], words: str, saved: str) -> None:
    """For people; `cache` says it for programs."""
    row = RequestRow(1, 0, "t", **given)  # type: ignore[arg-type]
    assert (memory_words(row), saved_words(row)) == (words, saved)


@aio
async def test_an_answer_knows_how_often_it_was_given_again() -> None:
    """And to whom, the latest first."""
    store = MemorySpans()
    write(
        store,
        RequestRow(1, 0, "t"),
        *[RequestRow(n, 0, "t", cache="exact", origin_id=1) for n in range(2, 32)],
    )
    assert await given_again(store, 1) == 30
    near = await around(store, RequestRow(1, 0, "t"))
    assert (near.given_count, [row.id for row in near.given[:2]], len(near.given)) == (30, [31, 30], 20)
    assert await given_again(store, 2) == 0
