"""Calls of which nobody heard the end, paid from budgets: what was set aside counts, or anybody could ask and leave for nothing."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import pytest

from headgate.core.errors import (
    GatewayError,
    HeadersTimeout,
    ProviderOverloaded,
    TotalTimeout,
    UpstreamCut,
    UpstreamReset,
)
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.catalog.settings import PriceSettings, own_rates
from headgate.providers.wires.openai_chat.reply import read_answer
from headgate.stores.spans import AttemptRow
from tests.support.aio import aio
from tests.support.recording import Recording

__all__: list[str] = []

OWN = own_rates(PriceSettings(input=Decimal(1), output=Decimal(2)))
RESERVED = 77_000_000
POTS = (("month", "*", 0),)


def paid(recording: Recording, exchange: Exchange) -> Attempt:
    """An attempt that was paid for, and has left."""
    attempt = recording.desk.attempt(exchange, recording.desk.endpoint(own_price=OWN))
    attempt.reserved_nanos, attempt.pots = RESERVED, POTS
    return attempt


async def left(recording: Recording, *, stream: bool = False) -> AttemptRow:
    """The row of a call whose caller left, and whose answer did not come while it was drained."""
    exchange = recording.desk.exchange(stream=stream)

    async def proceed(exchange: Exchange) -> Reply:
        paid(recording, exchange)
        await asyncio.Event().wait()
        raise AssertionError

    task = asyncio.ensure_future(recording.serve(exchange, proceed))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    exchange.hung_up = True
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, (row,) = await recording.stored(exchange)
    return row


@aio
async def test_who_asks_for_a_whole_answer_and_leaves_pays_for_it(tmp_path_factory) -> None:
    """The provider makes it to its end, whoever takes it."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    row = await left(recording)
    assert (row.cost_nanos, row.cost_label, row.outcome) == (RESERVED, "estimated", "hung_up")
    recording.close()


@aio
async def test_a_stream_that_was_left_costs_what_came_of_it(tmp_path_factory) -> None:
    """A provider that streams notices who leaves."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    row = await left(recording, stream=True)
    assert row.cost_nanos is not None
    assert 0 < row.cost_nanos < RESERVED
    recording.close()


@pytest.mark.parametrize(
    ("error", "status", "cost"),
    [
        (HeadersTimeout(detail="x"), 0, RESERVED),
        (TotalTimeout(detail="x"), 0, RESERVED),
        (UpstreamCut(detail="x"), 200, RESERVED),
        (UpstreamReset(detail="x"), 0, 0),
    ],
)
@aio
async def test_a_whole_answer_that_came_too_late_is_paid_for(
    tmp_path_factory, error: GatewayError, status: int, cost: int
) -> None:
    """It was under way, and others were asked. A connection that was closed at once gave nothing, as far as one can tell."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()

    async def proceed(exchange: Exchange) -> Reply:
        attempt = paid(recording, exchange)
        attempt.error, attempt.status = error, status
        raise error

    with pytest.raises(type(error)):
        await recording.serve(exchange, proceed)
    _, (row,) = await recording.stored(exchange)
    assert (row.cost_nanos, row.cost_label) == (cost, "estimated")
    recording.close()


@pytest.mark.parametrize("stream", [False, True])
@aio
async def test_of_two_calls_side_by_side_a_crash_leaves_both_to_be_paid(
    tmp_path_factory, stream: bool
) -> None:
    """The first was under way as well when the process died, and may be billed to its end."""
    directory = tmp_path_factory.mktemp("j")
    dead = Recording(directory)
    exchange = dead.desk.exchange(stream=stream)
    exchange.observer = dead.stage
    over = paid(dead, exchange)
    over.ended_at, over.status, over.error = 1.0, 529, ProviderOverloaded("busy", upstream_status=529)
    paid(dead, exchange)
    paid(dead, exchange)
    dead.journal.flush()
    dead.journal.close()
    living = Recording(directory, store=dead.store)
    living.writer.recover()
    rows = await living.store.attempts(exchange.id)
    assert [row.outcome for row in rows] == ["failed", "cut_off", "cut_off"]
    assert [row.cost_nanos for row in rows[:2]] == [0, RESERVED]
    living.close()


@aio
async def test_an_answer_that_nobody_can_read_is_recorded_and_paid_for(tmp_path_factory) -> None:
    """Its bytes went to the caller as they came; that they say no usage and make no sense keeps nothing set aside for ever."""
    recording = Recording(tmp_path_factory.mktemp("j"))
    exchange = recording.desk.exchange()
    body = b'{"choices":[{"finish_reason":"stop","message":{"content":{"level":"three metres and twenty"}}}]}'

    async def proceed(exchange: Exchange) -> Reply:
        attempt = paid(recording, exchange)
        attempt.status, attempt.first_content_at, attempt.ended_at = 200, 1.0, 1.0
        exchange.answering = attempt
        return Reply(wire="openai.chat", body=body, decode=read_answer)

    await recording.serve(exchange, proceed)
    _, (row,) = await recording.stored(exchange)
    assert (row.outcome, row.cost_label) == ("ok", "estimated")
    assert row.output_tokens > 10
    recording.close()
