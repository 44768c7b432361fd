"""Each fault, in each wire, whole and streamed: what dispatch gets to see, and what the provider does."""

from __future__ import annotations

import asyncio

import pytest

from headgate.core.errors import (
    BetweenTimeout,
    ConnectFailed,
    ConnectTimeout,
    GatewayError,
    HeadersTimeout,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderRateLimited,
    ProviderRefusal,
    ProviderRejected,
    TotalTimeout,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.providers.port import Timeouts, UpstreamRequest, Url
from headgate.providers.rehearsal.faults import FAULTS
from headgate.providers.rehearsal.orders import Rehearsals
from headgate.providers.rehearsal.upstream import Rehearsing
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.upstream import SimulatedUpstream
from headgate.testing.scripted import Script
from tests.support.aio import aio
from tests.support.rehearsing import WIRES, Stage

__all__: list[str] = []

Kinds = type[GatewayError] | tuple[type[GatewayError], ...]
EXPECTED: dict[str, tuple[Kinds, Kinds]] = {
    # fault: what a whole answer becomes, what a stream becomes
    "refused": (ConnectFailed, ConnectFailed),
    "connect_timeout": (ConnectTimeout, ConnectTimeout),
    "reset": (UpstreamReset, UpstreamReset),
    "silence": (HeadersTimeout, HeadersTimeout),
    "error": (ProviderFailed, ProviderFailed),
    "rate_limit": (ProviderRateLimited, ProviderRateLimited),
    "flapping": (ProviderOverloaded, ProviderOverloaded),
    "html": (UpstreamMalformed, (UpstreamMalformed, UpstreamCut, ProviderRefusal)),
    "cut": (UpstreamCut, UpstreamCut),
    "stall": (BetweenTimeout, BetweenTimeout),
    "malformed_frame": (UpstreamMalformed, UpstreamMalformed),
    "missing_terminator": (UpstreamMalformed, UpstreamCut),
    "error_in_stream": (ProviderFailed, (ProviderFailed, ProviderOverloaded)),
}
SLOW = {"latency": "latency:3", "slow_first_token": "slow_first_token:3", "slow_drip": "slow_drip:1"}
SOUND = {**SLOW, "one_byte": "one_byte"}
both = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def test_every_fault_is_tried_here() -> None:
    """A fault added to the table is added to these tests."""
    assert EXPECTED.keys() | SOUND.keys() == FAULTS.keys()


@both
@pytest.mark.parametrize("wire", WIRES)
@aio
async def test_without_an_order_the_reply_is_the_providers_own(wire: str, stream: bool) -> None:
    """Not a copy, not a wrapper: nothing is in the way."""
    stage = Stage(wire)
    reply = await stage.send(stream=stream)
    assert reply is stage.inner.replies[0]
    assert (await stage.ask(stream=stream)).choices


@both
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", EXPECTED)
@aio
async def test_a_fault_is_what_it_says(fault: str, wire: str, stream: bool) -> None:
    """An ordered fault reaches dispatch as the error class that the real thing would be."""
    error = await Stage(wire, fault).failure(stream=stream)
    assert isinstance(error, EXPECTED[fault][stream]), repr(error)


@both
@pytest.mark.parametrize("wire", WIRES)
@pytest.mark.parametrize("fault", SOUND)
@aio
async def test_a_slow_or_ragged_answer_is_the_same_answer(fault: str, wire: str, stream: bool) -> None:
    """Every byte of the provider's arrives, only later."""
    plain = await Stage(wire).ask(stream=stream)
    stage = Stage(wire, SOUND[fault])
    began = stage.time.seconds
    assert await stage.ask(stream=stream) == plain
    assert (stage.time.seconds - began >= 2) == (fault in SLOW)


@both
@pytest.mark.parametrize(
    "fault",
    sorted(EXPECTED.keys() - {"html", "malformed_frame", "missing_terminator", "flapping"}),
)
@aio
async def test_the_record_of_a_fault_names_its_rehearsal(fault: str, stream: bool) -> None:
    """Whoever reads it later must not go looking for a real outage."""
    error = await Stage("openai.chat", fault).failure(stream=stream)
    assert error.detail.startswith(f"rehearsal 7: {fault}"), error.detail


@pytest.mark.parametrize(
    "fault",
    [*sorted(SOUND), "cut", "stall", "malformed_frame", "missing_terminator", "html", "rate_limit"],
)
@aio
async def test_a_reply_that_suffers_is_marked_where_the_request_id_stands(fault: str) -> None:
    """Also one that ends well: slow answers are explained too."""
    reply = await Stage("anthropic.messages", fault).send(stream=True, timeouts=Timeouts(headers=99))
    assert (reply.headers.first(b"x-request-id") or b"").startswith(b"rehearsal 7: " + fault.encode())


@both
@pytest.mark.parametrize("fault", EXPECTED)
@aio
async def test_only_what_is_withheld_is_never_sent(fault: str, stream: bool) -> None:
    """Nobody bills a call that did not leave; one that did is closed, so that nothing stays open."""
    stage = Stage("openai.chat", fault)
    await stage.failure(stream=stream)
    called = FAULTS[fault].stage == "answer" and (stream or fault != "error_in_stream")
    assert bool(stage.inner.requests) == called
    assert stage.request.withheld is not called
    assert all(reply.closed or reply.read_to_end for reply in stage.inner.replies)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, ProviderRejected),
        (401, ProviderAuthFailed),
        (403, ProviderAuthFailed),
        (404, ProviderModelUnknown),
        (408, ProviderFailed),
        (429, ProviderRateLimited),
        (500, ProviderFailed),
        (503, ProviderOverloaded),
        (529, ProviderOverloaded),
        (599, ProviderFailed),
    ],
)
@pytest.mark.parametrize("wire", WIRES)
@aio
async def test_a_status_comes_with_the_body_its_vendor_would_send(
    wire: str, status: int, kind: type[GatewayError]
) -> None:
    """Read by the real wire; the words are its own and name the rehearsal."""
    error = await Stage(wire, f"error:{status}").failure(stream=False)
    assert type(error) is kind and isinstance(error, ProviderRefusal)
    assert error.upstream_status == status
    assert error.detail.startswith(f"rehearsal 7: error:{status}")


@pytest.mark.parametrize("wire", WIRES)
@aio
async def test_a_rate_limit_says_how_long(wire: str) -> None:
    """The argument is the time to wait; `none` leaves it out."""
    told = await Stage(wire, "rate_limit:2.5").failure(stream=True)
    silent = await Stage(wire, "rate_limit:none").failure(stream=True)
    assert (told.retry_after, silent.retry_after) == (2.5, None)


@pytest.mark.parametrize("count", [0, 1, 2])
@pytest.mark.parametrize("wire", WIRES)
@aio
async def test_a_stream_breaks_after_so_many_pieces(wire: str, count: int) -> None:
    """What came before the cut arrives, byte for byte; then the fault, every time somebody asks."""
    sound = await (await Stage(wire).send(stream=True)).read(1 << 20)
    reply = await Stage(wire, f"cut:{count}").send(stream=True)
    came = [await reply.chunk() for _ in range(count)]
    assert sound.startswith(b"".join(came)) and all(came)
    for _ in range(2):
        with pytest.raises(UpstreamCut):
            await reply.chunk()


@pytest.mark.parametrize("fault", ["cut:3", "malformed_frame:2", "missing_terminator", "error_in_stream:3"])
@pytest.mark.parametrize("wire", WIRES)
@aio
async def test_a_fault_does_not_depend_on_how_the_bytes_came(wire: str, fault: str) -> None:
    """Packets are cut anywhere; what is broken is broken in the same place."""
    ends = set()
    for size in (1, 7, 97, 100_000):
        stage = Stage(wire, fault, packet=size)
        reply = await stage.send(stream=True)
        came = b""
        try:
            while data := await reply.chunk():
                came += data
        except UpstreamCut as cut:
            came += str(cut).encode()
        ends.add(came)
    assert len(ends) == 1


@pytest.mark.parametrize("fault", ["cut:999", "stall:999", "error_in_stream:999", "malformed_frame:999"])
@pytest.mark.parametrize("wire", WIRES)
@aio
async def test_an_answer_with_fewer_pieces_breaks_all_the_same(wire: str, fault: str) -> None:
    """A rehearsal that only sometimes happens teaches nothing."""
    await Stage(wire, fault).failure(stream=True)


@pytest.mark.parametrize(
    ("fault", "timeouts", "error", "after"),
    [
        ("silence", Timeouts(headers=4), HeadersTimeout, 4),
        ("silence", Timeouts(headers=9, total=3), TotalTimeout, 3),
        ("connect_timeout", Timeouts(connect=2), ConnectTimeout, 2),
        ("latency:30", Timeouts(headers=5), HeadersTimeout, 5),
        ("slow_first_token:30", Timeouts(between=6), BetweenTimeout, 6),
        ("slow_first_token:30", Timeouts(total=7), TotalTimeout, 7),
        ("slow_drip:8", Timeouts(between=2), BetweenTimeout, 2),
        ("stall:0", Timeouts(between=1.5), BetweenTimeout, 1.5),
        ("stall:0", Timeouts(total=2.5), TotalTimeout, 2.5),
    ],
)
@aio
async def test_a_deadline_is_kept_to_the_moment(
    fault: str, timeouts: Timeouts, error: type[Exception], after: float
) -> None:
    """As with a provider that really is so slow: each phase has its own error, when the time is up and not later."""
    stage = Stage("openai.chat", fault)
    began = stage.time.seconds
    assert type(await stage.failure(stream=True, timeouts=timeouts)) is error
    assert stage.time.seconds - began == pytest.approx(after)


@aio
async def test_a_whole_answer_that_is_late_is_late_before_its_head() -> None:
    """It has no first token to wait for; the deadline of the head ends it."""
    stage = Stage("openai.chat", "slow_first_token:30")
    error = await stage.failure(stream=False, timeouts=Timeouts(headers=5))
    assert type(error) is HeadersTimeout and stage.inner.replies[0].closed


@aio
async def test_waiting_for_a_delayed_request_counts_from_its_beginning() -> None:
    """Dispatch judges the first token from when the request was sent: that is when it would have been."""
    stage = Stage("openai.chat", "latency:3")
    began = stage.time.seconds
    reply = await stage.send(stream=True)
    assert reply.sent_at == began
    assert not stage.request.withheld


@aio
async def test_a_provider_that_refuses_by_itself_is_left_alone() -> None:
    """Its own error is worse than any rehearsed one, and must not be hidden."""
    stage = Stage("openai.chat", "cut:1")
    stage.inner.scripts = [Script(status=500, pieces=[b'{"error": {"message": "really"}}'])]
    reply = await stage.upstream.send(
        UpstreamRequest("POST", Url.parse("http://provider.test/"), []), Timeouts()
    )
    assert reply is stage.inner.replies[0]


@pytest.mark.parametrize("fault", ["silence", "stall:1", "slow_drip:9", "latency:9", "connect_timeout"])
@aio
async def test_a_caller_who_leaves_leaves_nothing_open(fault: str) -> None:
    """Cancelled in the middle of any wait: what was open is closed by its holder, and no task is left."""
    stage = Stage("openai.chat", fault)
    never = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if seconds:
            await never.wait()
        await asyncio.sleep(0)

    object.__setattr__(stage.upstream, "sleep", sleep)
    before = len(asyncio.all_tasks())
    asking = asyncio.ensure_future(stage.ask(stream=True, timeouts=Timeouts(total=99)))
    for _ in range(50):
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert len(asyncio.all_tasks()) == before


@aio
async def test_a_cancelled_wait_has_taken_nothing() -> None:
    """Dispatch may give up one look and look again."""
    stage = Stage("openai.chat", "slow_drip:5")
    sound = await (await Stage("openai.chat").send(stream=True)).read(1 << 20)
    hurry = asyncio.Event()

    async def sleep(seconds: float) -> None:
        stage.time.seconds += seconds / 2
        await hurry.wait()
        stage.time.seconds += seconds / 2

    object.__setattr__(stage.upstream, "sleep", sleep)
    reply = await stage.send(stream=True)
    for _ in range(3):
        looking = asyncio.ensure_future(reply.chunk())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        looking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await looking
    hurry.set()
    assert await reply.read(1 << 20) == sound


@aio
async def test_a_reply_that_was_let_go_is_at_its_end() -> None:
    """Closing is idempotent and closes the provider's reply."""
    stage = Stage("openai.chat", "slow_drip:1")
    reply = await stage.send(stream=True)
    assert await reply.chunk()
    reply.close()
    reply.close()
    assert await reply.chunk() == b"" and stage.inner.replies[0].closed


@aio
async def test_an_order_without_an_end_to_its_flapping_lets_calls_through_in_between() -> None:
    """Two fail, one is answered, and again."""
    stage = Stage("openai.chat", "flapping:2/1")
    statuses = [(await stage.send(stream=False)).status for _ in range(6)]
    assert statuses == [503, 503, 200, 503, 503, 200]


def test_two_doors_to_one_provider_are_equal() -> None:
    """Endpoints are compared by what carries their calls; another provider's are others."""
    inner, rehearsals = SimulatedUpstream(SimulatedSettings()), Rehearsals()
    one, same, other = (Rehearsing(inner, name, rehearsals) for name in ("house", "house", "mill"))
    assert one == same and hash(one) == hash(same)
    assert one != other
