"""Each fault, in each wire, whole and streamed: what dispatch gets to see."""

from __future__ import annotations

import pytest

from headgate.core.errors import (
    BetweenTimeout,
    ConnectFailed,
    ConnectTimeout,
    ContentFiltered,
    ContextTooLong,
    GatewayError,
    HeadersTimeout,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRefusal,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.providers.port import Timeouts
from headgate.providers.simulated.faults import FAULTS, FaultOrder, parse_fault, parse_faults
from headgate.providers.simulated.settings import ProfileSettings, SimulatedSettings
from tests.support.aio import aio
from tests.support.simulated import FakeTime, Rehearsal, chat, messages, responses

__all__: list[str] = []

BODIES = {"openai.chat": chat, "openai.responses": responses, "anthropic.messages": messages}
Kinds = type[GatewayError] | tuple[type[GatewayError], ...]
EXPECTED: dict[str, tuple[Kinds, Kinds]] = {
    # fault: what a whole answer becomes, what a stream becomes
    "refused": (ConnectFailed, ConnectFailed),
    "connect_timeout": (ConnectTimeout, ConnectTimeout),
    "reset": (UpstreamReset, UpstreamReset),
    "silence": (HeadersTimeout, HeadersTimeout),
    "rate_limit": (ProviderRateLimited, ProviderRateLimited),
    "quota": (ProviderQuotaSpent, ProviderQuotaSpent),
    "auth_401": (ProviderAuthFailed, ProviderAuthFailed),
    "model_unknown": (ProviderModelUnknown, ProviderModelUnknown),
    "context_length": (ContextTooLong, ContextTooLong),
    "content_filter": (ContentFiltered, ContentFiltered),
    "error_500": (ProviderFailed, ProviderFailed),
    "overloaded_503": (ProviderOverloaded, ProviderOverloaded),
    "overloaded_529": (ProviderOverloaded, ProviderOverloaded),
    "flapping": (ProviderOverloaded, ProviderOverloaded),
    "html": (UpstreamMalformed, (UpstreamMalformed, UpstreamCut, ProviderRefusal)),
    "cut": (UpstreamCut, UpstreamCut),
    "stall": (BetweenTimeout, BetweenTimeout),
    "malformed_frame": (UpstreamMalformed, UpstreamMalformed),
    "missing_terminator": (UpstreamMalformed, UpstreamCut),
    "error_in_stream": (ProviderFailed, (ProviderFailed, ProviderOverloaded)),
}
_REAL_TIME = SimulatedSettings(models={"steady": ProfileSettings(error_rate=0, quality=1)})
ANSWERED = {"slow_first_token", "slow_drip", "empty", "garbled"}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("wire", BODIES)
@pytest.mark.parametrize("fault", EXPECTED)
@aio
async def test_a_fault_is_what_it_says(fault: str, wire: str, stream: bool) -> None:
    """A fault ordered by header reaches the caller as the error class that the real thing would be."""
    error = await Rehearsal().failure(wire, BODIES[wire](stream=stream), fault=fault)
    assert isinstance(error, EXPECTED[fault][stream]), repr(error)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("wire", BODIES)
@pytest.mark.parametrize("fault", sorted(ANSWERED))
@aio
async def test_a_fault_that_is_no_error_still_gives_an_answer(fault: str, wire: str, stream: bool) -> None:
    """Slow, empty and nonsensical answers are answers."""
    answer = await Rehearsal().answer(wire, BODIES[wire](stream=stream), fault=fault)
    assert answer.choices[0].stop_reason == "end"
    assert (answer.text == "") == (fault == "empty")


def test_every_fault_is_tried_here() -> None:
    """A fault added to the table is added to these tests."""
    assert EXPECTED.keys() | ANSWERED == FAULTS.keys()


@pytest.mark.parametrize("wire", BODIES)
@aio
async def test_a_rate_limit_says_how_long(wire: str) -> None:
    """The argument is the time to wait; `none` leaves it out."""
    rehearsal = Rehearsal()
    told = await rehearsal.failure(wire, BODIES[wire](), fault="rate_limit:7")
    silent = await rehearsal.failure(wire, BODIES[wire](), fault="rate_limit:none")
    assert (told.retry_after, silent.retry_after) == (7.0, None)


@pytest.mark.parametrize("wire", BODIES)
@aio
async def test_a_cut_comes_after_so_many_tokens(wire: str) -> None:
    """What was said before the cut arrives, and nothing of the end."""
    rehearsal = Rehearsal()
    reply = await rehearsal.send(wire, BODIES[wire](stream=True), fault="cut:3")
    said = []
    with pytest.raises(UpstreamCut):
        async for event in rehearsal.events(rehearsal.wire("chat", wire), reply):
            said.append(type(event).__name__)
    assert said.count("TextDelta") == 3
    assert "Stop" not in said


@pytest.mark.parametrize("wire", ["openai.chat", "anthropic.messages"])
@aio
async def test_a_broken_off_answer_says_it_was_filtered(wire: str) -> None:
    """`content_filter:stop` is an answer with that reason."""
    for stream in (False, True):
        answer = await Rehearsal().answer(wire, BODIES[wire](stream=stream), fault="content_filter:stop")
        assert answer.choices[0].stop_reason == "content_filter"


@aio
async def test_only_the_last_mark_may_be_missing() -> None:
    """`missing_terminator:done` leaves out `[DONE]`, which a reader may forgive."""
    reply = await Rehearsal().send("openai.chat", chat(stream=True), fault="missing_terminator:done")
    body = await reply.read(1 << 20)
    assert b'"finish_reason":"stop"' in body
    assert b"[DONE]" not in body


@aio
async def test_html_may_carry_a_status() -> None:
    """`html:502` is the page of a proxy in front."""
    reply = await Rehearsal().send("openai.chat", chat(), fault="html:502")
    assert (reply.status, reply.headers.get(b"content-type")) == (502, b"text/html; charset=utf-8")


@aio
async def test_flapping_fails_and_recovers_in_turn() -> None:
    """`flapping:2/1` is two failures, one answer, and again."""
    rehearsal = Rehearsal()
    rehearsal.upstream.set_faults(["flapping:2/1"])
    seen = [(await rehearsal.send("openai.chat", chat())).status for _ in range(6)]
    assert seen == [503, 503, 200, 503, 503, 200]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@aio
async def test_a_slow_first_token_takes_its_time(stream: bool) -> None:
    """`slow_first_token:4` keeps the first token back for four seconds."""
    rehearsal = Rehearsal()
    quick = rehearsal.time.seconds
    await rehearsal.answer("openai.chat", chat(stream=stream), fault="slow_first_token:4")
    assert rehearsal.time.seconds == quick, "with speed 0 nothing waits"
    slow = Rehearsal(_REAL_TIME)
    began = slow.time.seconds
    await slow.answer("openai.chat", chat(stream=stream, max_tokens=1), fault="slow_first_token:4")
    assert slow.time.seconds - began >= 4


@aio
async def test_a_slow_drip_drips() -> None:
    """`slow_drip:2` puts two seconds between tokens, and each comes alone."""
    rehearsal = Rehearsal(_REAL_TIME)
    reply = await rehearsal.send("openai.chat", chat(stream=True, max_tokens=4), fault="slow_drip:2")
    pieces = []
    while data := await reply.chunk():
        pieces.append((data.count(b'"content":"') - data.count(b'"content":""'), rehearsal.time.seconds))
    assert [tokens for tokens, _ in pieces if tokens] == [1, 1, 1, 1]
    assert pieces[-1][1] - pieces[-2][1] == pytest.approx(2)


@aio
async def test_silence_lasts_as_long_as_the_deadline() -> None:
    """What never comes runs into the phase's own deadline, not later."""
    time = FakeTime()
    rehearsal = Rehearsal(_REAL_TIME, time)
    began = time.seconds
    error = await rehearsal.failure("openai.chat", chat(), fault="silence", timeouts=Timeouts(headers=3))
    assert isinstance(error, HeadersTimeout)
    assert time.seconds - began == pytest.approx(3)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("cut", FaultOrder("cut", "5")),
        ("cut:20", FaultOrder("cut", "20")),
        (" rate_limit : 2.5 @ sim-large ", FaultOrder("rate_limit", "2.5", "sim-large")),
        ("rate_limit:none", FaultOrder("rate_limit", "none")),
        ("flapping:1/4", FaultOrder("flapping", "1/4")),
        ("none@a", FaultOrder("none", "", "a")),
        ("content_filter:stop", FaultOrder("content_filter", "stop")),
    ],
)
def test_an_order_is_read(text: str, order: FaultOrder) -> None:
    """`name[:argument][@model]`, spaces allowed."""
    assert parse_fault(text) == order


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("rate_limits", "did you mean `rate_limit`"),
        ("zzz", "known are refused"),
        ("reset:3", "takes no argument"),
        ("cut:-1", "takes tokens before it"),
        ("cut:many", "takes tokens before it"),
        ("slow_drip:inf", "takes seconds between tokens"),
        ("rate_limit:nan", "takes seconds in retry-after"),
        ("flapping:0/0", "takes bad/good"),
        ("html:99", "takes status"),
        ("content_filter:5", "takes `stop`"),
        ("none:1", "no fault is called `none`"),
        ("", "no fault is called ``"),
    ],
)
def test_a_wrong_order_is_refused_with_what_would_be_right(text: str, hint: str) -> None:
    """The message names the nearest fault, or what its argument should be."""
    with pytest.raises(ValueError, match=r"no fault|takes") as refused:
        parse_fault(text)
    assert hint in str(refused.value)


def test_several_orders_stand_in_one_header() -> None:
    """With commas between; empty ones are nothing."""
    assert parse_faults("cut:1@a, reset@b,") == [FaultOrder("cut", "1", "a"), FaultOrder("reset", "", "b")]


@aio
async def test_a_wrong_header_is_told_to_the_caller() -> None:
    """400 with the hint, not a fault."""
    reply = await Rehearsal().send("openai.chat", chat(), fault="rest")
    assert reply.status == 400
    assert b"did you mean `reset`" in await reply.read(10_000)


@aio
async def test_the_first_order_for_the_model_holds() -> None:
    """Orders for other models are passed over; `none` is an order too."""
    rehearsal = Rehearsal()
    rehearsal.upstream.set_faults(["error_500"])
    statuses = [
        (await rehearsal.send("openai.chat", chat(), fault=fault)).status
        for fault in ("rate_limit@other", "rate_limit@other,quota@steady", "none")
    ]
    assert statuses == [500, 429, 200]
