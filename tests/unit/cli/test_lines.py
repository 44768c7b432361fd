"""Recorded requests as lines and as a picture of their time."""

from __future__ import annotations

from typing import Any

import click
import pytest

from headgate.cli.demo_summary import percentile, summarise, table_of
from headgate.cli.lines import HEADER, cost_text, request_line
from headgate.cli.show import _bar, _lines, _printable
from headgate.control.traces import Shown
from headgate.stores.spans import AttemptRow, Content, RequestRow

__all__: list[str] = []


def row(**more):
    facts: dict[str, Any] = {
        "id": 1,
        "started_ns": 1_700_000_000_123_456_789,
        "trace_id": "t",
        "requested_model": "support-chat",
        "feature": "support-chat",
        "provider": "sim",
        "reported_model": "sim-small",
        "status": 200,
        "input_tokens": 3,
        "cache_read_tokens": 2,
        "output_tokens": 4,
        "reasoning_tokens": 1,
        "cost_nanos": 74_400,
        "cost_label": "exact",
        "first_content_us": 100_000,
        "total_us": 967_900,
    }
    return RequestRow(**(facts | more))


def test_a_line_stands_under_its_header():
    """Columns are where their titles are."""
    line = click.unstyle(request_line(row(stream=True)))
    for title, text in (
        ("asked for", "support-chat~"),
        ("served by", "sim/sim-small"),
        ("what happened", "ok"),
    ):
        assert line[HEADER.index(title) :].startswith(text)
    assert line.split()[4:9] == ["200", "5", "5", "0.000074", "100ms"]


def test_a_line_says_what_is_unlike_a_callers_own_request():
    """Nobody mistakes fixed words for the model, or a copy for a customer."""
    line = click.unstyle(request_line(row(purpose="shadow", degraded="say", tier="complex")))
    assert line.endswith("ok (shadow, degraded: say, complex)")
    assert click.unstyle(request_line(row())).endswith(" ok")


def test_showing_a_request_says_why_each_call_was_made():
    """The first needs no reason."""
    attempts = [
        AttemptRow(id=1, request_id=1, number=1, provider="sim", model="a", error_class="provider_failed"),
        AttemptRow(
            id=2, request_id=1, number=2, provider="sim", model="b", kind="failover", credential="key 2"
        ),
    ]
    request = row(purpose="shadow", degraded="say", tier="complex")
    shown = Shown(request=request, attempts=attempts, prompt=None, reply=None, reply_text="")
    text = click.unstyle("\n".join(_lines(shown, most=100)))
    assert "1. sim/a" in text and "2. failover sim/b" in text and ", key 2" in text
    for fact in ("purpose      shadow", "difficulty   complex", "degraded     to `say`"):
        assert fact in text


def test_what_callers_send_cannot_move_the_cursor():
    """Terminals obey what is printed on them."""
    line = click.unstyle(request_line(row(requested_model="\x1b[2J\rroot", error_class="\x1b[31m")))
    assert "\x1b[2J" not in line and "\r" not in line
    assert _printable("a\x1b[31mb\x07") == "a?[31mb?"


@pytest.mark.parametrize(
    ("nanos", "label", "text"),
    [
        (74_400, "exact", "0.000074"),
        (74_400, "estimated", "~0.000074"),
        (None, "unknown", "unknown"),
        (None, "", "-"),
        (0, "exact", "0.000000"),
    ],
)
def test_an_unknown_cost_is_never_zero(nanos, label, text):
    """And an estimate is told from a bill."""
    assert cost_text(row(cost_nanos=nanos, cost_label=label)) == text


def attempt(**more):
    facts: dict[str, Any] = {
        "id": 2,
        "request_id": 1,
        "number": 1,
        "provider": "sim",
        "model": "m",
        "ended_us": 100,
    }
    return AttemptRow(**(facts | more))


@pytest.mark.parametrize(
    ("times", "bar"),
    [
        ({"first_byte_us": 50, "first_content_us": 50}, "·" * 22 + "█" * 22),
        ({"started_us": 50, "first_byte_us": 75, "first_content_us": 100}, " " * 22 + "·" * 11 + "─" * 11),
        ({"ended_us": 0}, "·" + " " * 43),
    ],
)
def test_the_bar_shows_waiting_and_content(times, bar):
    """On the request's own time, one cell at least."""
    assert _bar(attempt(**times), 100) == bar


def test_a_request_is_shown_whole():
    """What was asked, what came back, each attempt, and what was cut off."""
    shown = Shown(
        request=row(error_detail="first one failed"),
        attempts=[attempt(status=500, error_class="provider_failed", error_detail="boom"), attempt(number=2)],
        prompt=Content(hash="h", kind="openai.chat", data=b'{"model":"x"}', size=13),
        reply=Content(hash="i", kind="canonical", data=b"{}", size=99),
        reply_text="Hello\nthere",
    )
    text = click.unstyle("\n".join(_lines(shown, most=1000)))
    for part in (
        '"model": "x"',
        "Hello",
        "500 provider_failed",
        "boom",
        "first one failed",
        "99 bytes",
        "0.000074 USD",
    ):
        assert part in text
    assert "characters more; --full" in click.unstyle("\n".join(_lines(shown, most=3)))


def test_the_summary_counts_every_request_once():
    """By feature, and all together; latencies of what was answered only."""
    rows = [
        row(),
        row(outcome="failed", total_us=9_000_000),
        row(feature="", outcome="refused", cost_nanos=None),
    ]
    chat, none, everything = summarise(rows)
    assert (chat.name, chat.requests, none.name, everything.requests) == (
        "support-chat",
        2,
        "(no feature)",
        3,
    )
    assert everything.cost_nanos == 148_800 and everything.totals_us == [967_900]
    table = table_of([chat, none, everything])
    assert len({len(line) for line in table.split("\n")}) == 1 and "968 ms" in table


def test_a_percentile_of_nothing_is_nothing():
    """A feature whose requests all failed has no latency."""
    assert percentile([], 0.5) is None
    assert (percentile([3, 1, 2], 0.5), percentile([1], 0.95), percentile(range(1, 101), 0.95)) == (2, 1, 96)
