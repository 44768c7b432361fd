"""Two calls side by side: the first to answer serves, the other is let go; no call is left behind, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from time import monotonic
from typing import Any

import pytest

from headgate.core.errors import GatewayError, ProviderFailed, ProviderOverloaded
from headgate.core.frame import Frame
from headgate.dispatch.attempting import NoPlace
from headgate.dispatch.hedging import HedgeShare, hedged
from headgate.dispatch.settings import HedgeSettings
from headgate.exchange.attempt import Attempt, AttemptKind
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from headgate.providers.health.health import Health
from headgate.providers.health.settings import HealthSettings
from headgate.providers.port import Endpoint
from tests.support.aio import aio
from tests.support.exchanges import Desk

__all__: list[str] = []

SOON = HedgeSettings(after="1ms", share=1.0)


class Frames:
    """A stream that knows whether it was let go."""

    def __init__(self) -> None:
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


class Call:
    """One attempt, as the test lets it go."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.go = asyncio.Event()
        self.error: Exception | None = None
        self.kind: AttemptKind | None = None
        self.attempt: Attempt | None = None
        self.frames = Frames()
        self.cancelled = False
        self.deaf = False
        """Does a cancellation come too late to stop the answer?"""
        self.ended: asyncio.Event | None = None
        """What it still waits for when it is cancelled."""

    def fails(self, error: Exception) -> None:
        self.error = error
        self.go.set()


class Stable:
    """Calls by provider, made as `hedged` asks for them."""

    def __init__(self, *names: str) -> None:
        unused: Any = None
        self.desk = Desk()
        self.exchange: Exchange = self.desk.exchange(stream=True)
        self.endpoints = [Endpoint(name, name, unused, unused) for name in names]
        self.calls = {name: Call() for name in names}
        self.told: list[tuple[str, Exception]] = []
        self.share = HedgeShare()

    async def ask(self, endpoint: Endpoint, kind: AttemptKind) -> Reply:
        call = self.calls[endpoint.provider]
        call.kind = kind
        call.attempt = self.desk.attempt(self.exchange, endpoint)
        call.asked.set()
        try:
            await call.go.wait()
        except asyncio.CancelledError:
            call.cancelled = True
            if call.ended is not None:
                await call.ended.wait()
            if not call.deaf:
                raise
        if call.error is not None:
            if isinstance(call.error, GatewayError):
                call.attempt.error = call.error
            raise call.error
        self.exchange.answering = call.attempt
        return Reply(wire=endpoint.provider, frames=call.frames)

    def race(self, settings: HedgeSettings = SOON) -> asyncio.Task[Reply | None]:
        return asyncio.create_task(
            hedged(
                self.exchange,
                self.endpoints,
                settings=settings,
                share=self.share,
                ask=self.ask,
                failed=lambda endpoint, error: self.told.append((endpoint.provider, error)),
            )
        )


@aio
async def test_a_quick_first_call_is_left_alone() -> None:
    """No second one is made."""
    stable = Stable("a", "b")
    stable.calls["a"].go.set()
    reply = await stable.race(HedgeSettings(after="10s"))
    assert reply is not None and reply.wire == "a"
    assert not stable.calls["b"].asked.is_set() and not stable.calls["a"].frames.closed
    assert [one.abandoned for one in stable.exchange.attempts] == [False]


@aio
async def test_the_second_serves_if_it_is_first_to_answer() -> None:
    """The first is cancelled and marked as given up; what answers is the second, kind `hedge`."""
    stable = Stable("a", "b")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    stable.calls["b"].go.set()
    reply = await task
    a, b = stable.calls["a"], stable.calls["b"]
    assert reply is not None and reply.wire == "b" and not b.frames.closed
    assert (a.kind, b.kind) == ("", "hedge")
    assert a.cancelled and not b.cancelled and stable.told == []
    assert a.attempt is not None and b.attempt is not None
    assert a.attempt.abandoned and not b.attempt.abandoned
    assert stable.exchange.answering is b.attempt


@aio
async def test_the_first_serves_if_it_answers_after_all() -> None:
    """Then the hedge is what is given up."""
    stable = Stable("a", "b")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    stable.calls["a"].go.set()
    reply = await task
    assert reply is not None and reply.wire == "a"
    assert stable.calls["b"].cancelled
    assert [one.abandoned for one in stable.exchange.attempts] == [False, True]


@aio
async def test_of_two_answers_at_the_same_moment_one_is_closed() -> None:
    """Its stream is let go, and it does not pass for the one that serves."""
    stable = Stable("a", "b")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    stable.calls["a"].go.set()
    stable.calls["b"].go.set()
    reply = await task
    assert reply is not None
    loser = "b" if reply.wire == "a" else "a"
    assert stable.calls[loser].frames.closed and not stable.calls[reply.wire].frames.closed
    assert stable.exchange.answering is stable.calls[reply.wire].attempt
    attempt = stable.calls[loser].attempt
    assert attempt is not None and attempt.abandoned


@aio
async def test_an_answer_that_comes_while_it_is_given_up_is_closed() -> None:
    """A cancellation may come too late; the stream must not stay open."""
    stable = Stable("a", "b")
    stable.calls["a"].deaf = True
    task = stable.race()
    await stable.calls["b"].asked.wait()
    stable.calls["b"].go.set()
    reply = await task
    assert reply is not None and reply.wire == "b"
    assert stable.calls["a"].frames.closed and not stable.calls["b"].frames.closed


@aio
async def test_a_late_answer_does_not_pass_for_the_one_that_serves() -> None:
    """`exchange.answering` stays the winner's, whatever the loser did while it was given up."""
    stable = Stable("a", "b")
    stable.calls["a"].deaf = True
    task = stable.race()
    await stable.calls["b"].asked.wait()
    stable.calls["b"].go.set()
    await task
    assert stable.exchange.answering is stable.calls["b"].attempt


@aio
async def test_a_first_call_that_fails_at_once_is_not_hedged() -> None:
    """It is told, and the ordinary way of failing over goes on."""
    stable = Stable("a", "b")
    error = ProviderFailed("x")
    stable.calls["a"].fails(error)
    assert await stable.race(HedgeSettings(after="10s")) is None
    assert stable.told == [("a", error)] and not stable.calls["b"].asked.is_set()


@aio
async def test_a_failure_leaves_the_other_running() -> None:
    """Its answer still counts; the failure is told and is no abandonment."""
    stable = Stable("a", "b")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    error = ProviderFailed("x")
    stable.calls["a"].fails(error)
    while not stable.told:
        await asyncio.sleep(0)
    stable.calls["b"].go.set()
    reply = await task
    assert reply is not None and reply.wire == "b" and stable.told == [("a", error)]
    assert [one.abandoned for one in stable.exchange.attempts] == [False, False]


@aio
async def test_when_both_fail_both_are_told() -> None:
    """And nobody has answered."""
    stable = Stable("a", "b")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    first, second = ProviderFailed("x"), ProviderOverloaded("y")
    stable.calls["b"].fails(second)
    while not stable.told:
        await asyncio.sleep(0)
    stable.calls["a"].fails(first)
    assert await task is None
    assert stable.told == [("b", second), ("a", first)]
    assert stable.exchange.answering is None


@aio
async def test_having_no_place_is_told_like_a_failure() -> None:
    """Of the first one: nothing was sent."""
    stable = Stable("a", "b")
    stable.calls["a"].fails(NoPlace())
    assert await stable.race(HedgeSettings(after="10s")) is None
    assert [(name, type(error)) for name, error in stable.told] == [("a", NoPlace)]


@aio
async def test_a_caller_who_is_cancelled_cancels_both() -> None:
    """Before this is over, both calls are."""
    stable = Stable("a", "b")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stable.calls["a"].cancelled and stable.calls["b"].cancelled
    assert [one.abandoned for one in stable.exchange.attempts] == [False, False]


@aio
async def test_a_cancelled_caller_closes_an_answer_that_came_too_late() -> None:
    """Nobody is there to read it."""
    stable = Stable("a", "b")
    stable.calls["b"].deaf = True
    task = stable.race()
    await stable.calls["b"].asked.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stable.calls["b"].frames.closed


@aio
async def test_a_bug_in_one_call_does_not_leave_the_other_behind() -> None:
    """It is raised where it can be seen, after the other was cancelled."""
    stable = Stable("a", "b")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    stable.calls["a"].fails(RuntimeError("a bug"))
    with pytest.raises(RuntimeError, match="a bug"):
        await task
    assert stable.calls["b"].cancelled


@aio
async def test_a_bug_in_a_call_that_lost_does_not_cost_the_answer(caplog: pytest.LogCaptureFixture) -> None:
    """The winner serves; the log has what went wrong inside the other one."""
    stable = Stable("a", "b")
    stable.calls["a"].deaf, stable.calls["a"].error = True, RuntimeError("a bug on the way out")
    task = stable.race()
    await stable.calls["b"].asked.wait()
    stable.calls["b"].go.set()
    reply = await task
    assert reply is not None and reply.wire == "b" and not stable.calls["b"].frames.closed
    assert stable.exchange.answering is stable.calls["b"].attempt
    assert "a bug on the way out" in caplog.text


@aio
async def test_an_answer_counts_that_comes_in_the_same_turn_as_a_failure() -> None:
    """Whichever of the two the event loop names first."""
    for _ in range(30):
        stable = Stable("a", "b")
        task = stable.race()
        await stable.calls["b"].asked.wait()
        stable.calls["a"].fails(RuntimeError("a bug"))
        stable.calls["b"].go.set()
        reply = await task
        assert reply is not None and reply.wire == "b"


@aio
async def test_a_caller_cancelled_while_the_loser_ends_is_cancelled() -> None:
    """That cancellation is ours, not the loser's: it must not be swallowed with the loser's own."""
    stable = Stable("a", "b")
    a, b = stable.calls["a"], stable.calls["b"]
    a.ended = asyncio.Event()
    task = stable.race()
    await b.asked.wait()
    b.go.set()
    while not a.cancelled:
        await asyncio.sleep(0)
    task.cancel()
    a.ended.set()
    with pytest.raises(asyncio.CancelledError):
        await task


@aio
async def test_nobody_is_asked_beside_the_first_for_a_caller_who_has_left() -> None:
    """The first call may be drained for its usage; a second one would be for nobody."""
    stable = Stable("a", "b")
    task = stable.race(HedgeSettings(after="20ms", share=1.0))
    await stable.calls["a"].asked.wait()
    stable.exchange.hung_up = True
    await asyncio.sleep(0.06)  # three times the delay
    assert not stable.calls["b"].asked.is_set()
    stable.calls["a"].go.set()
    assert await task is not None


@aio
async def test_a_feature_whose_share_is_spent_takes_nothing_from_the_budget_for_extra_calls() -> None:
    """A hedge that is not made costs the other endpoint no retry."""
    stable = Stable("a", "b")
    while stable.share.take():
        pass
    for _ in range(5):
        task = stable.race()
        await stable.calls["a"].asked.wait()
        await asyncio.sleep(0.005)  # five times the delay
        stable.calls["a"].go.set()
        assert await task is not None
        stable.calls["a"] = Call()
    other = stable.endpoints[1].health
    assert [other.may_retry(monotonic()) for _ in range(3)] == [True] * 3, (
        "what a quiet endpoint has saved up"
    )


@aio
async def test_a_second_one_without_a_place_is_passed_over() -> None:
    """The next candidate is asked; one that rests is not."""
    stable = Stable("a", "b", "c")
    stable.endpoints[1].health.rest(monotonic() + 60, "x")
    task = stable.race()
    await stable.calls["c"].asked.wait()
    stable.calls["c"].go.set()
    reply = await task
    assert reply is not None and reply.wire == "c" and not stable.calls["b"].asked.is_set()


@aio
async def test_a_hedge_takes_from_the_budget_for_extra_calls() -> None:
    """An endpoint with none left is not burdened with another one's requests."""
    stable = Stable("a", "b")
    unused: Any = None
    poor = Endpoint("b", "b", unused, unused, health=Health("b", HealthSettings(retry_share=0.0)))
    stable.endpoints[1] = poor
    while poor.health.may_retry(monotonic()):
        pass
    task = stable.race()
    await stable.calls["a"].asked.wait()
    for _ in range(5):
        await asyncio.sleep(0.002)  # twice the delay, five times over
    assert not stable.calls["b"].asked.is_set()
    stable.calls["a"].go.set()
    assert await task is not None


@aio
async def test_an_endpoint_of_which_too_little_is_known_is_not_hedged_by_quantile() -> None:
    """`after = "p95"` needs twenty calls; then it is their time."""
    stable = Stable("a", "b")
    settings = HedgeSettings(after="p95", share=1.0)
    task = stable.race(settings)
    await stable.calls["a"].asked.wait()
    await asyncio.sleep(0.01)
    assert not stable.calls["b"].asked.is_set()
    stable.calls["a"].go.set()
    assert await task is not None
    known = Stable("a", "b")
    for _ in range(20):
        known.endpoints[0].health.begin(0.0)
        known.endpoints[0].health.end(0.0, "ok", seconds=0.001)
    task = known.race(settings)
    await known.calls["b"].asked.wait()
    known.calls["b"].go.set()
    assert (await task) is not None


@aio
async def test_a_feature_whose_share_is_spent_is_not_hedged() -> None:
    """However slow the first call is."""
    stable = Stable("a", "b")
    while stable.share.take():
        pass
    task = stable.race()
    await stable.calls["a"].asked.wait()
    for _ in range(5):
        await asyncio.sleep(0.002)
    assert not stable.calls["b"].asked.is_set()
    stable.calls["a"].go.set()
    assert await task is not None


def test_hedges_keep_to_their_share() -> None:
    """Of 1,000 slow requests with a share of 5 %: 50, and the one a feature begins with."""
    share, hedges = HedgeShare(), 0
    for _ in range(1000):
        share.request(0.05)
        hedges += share.take()
    assert 50 <= hedges <= 51


def test_a_quiet_time_saves_up_three_hedges_at_most() -> None:
    """A thousand quick requests are no licence to double the next fifty."""
    share = HedgeShare()
    for _ in range(1000):
        share.request(0.05)
    assert sum(share.take() for _ in range(50)) == 3
