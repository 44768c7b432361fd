"""A stream that broke off is finished by another attempt, or ends in the error that it broke off with."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headgate.core.errors import (
    BetweenTimeout,
    ContentFiltered,
    GatewayError,
    ProviderFailed,
    ProviderOverloaded,
    ProviderRejected,
    RateTooLow,
    TotalTimeout,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.core.events import (
    Begin,
    Event,
    OpaqueDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    UsageReport,
)
from headgate.core.frame import Frame
from headgate.core.messages import ChatRequest, Message, Text
from headgate.core.usage import Usage
from headgate.dispatch.attempting import NoPlace
from headgate.exchange.pumping import pump_one
from headgate.providers.port import Endpoint
from tests.support.aio import aio
from tests.support.resumption import (
    ASK,
    CUT,
    STORY,
    BrokenAnswer,
    FakeStream,
    Said,
    all_of,
    answer,
    broken,
    endpoint,
    text_of,
    well_formed,
    words,
)
from tests.support.wires import UNHURRIED

__all__: list[str] = []


@aio
async def test_an_answer_that_does_not_break_off_is_told_as_it_comes() -> None:
    """Event by event, and nobody else is asked; only the bytes are left behind."""
    said = answer(STORY, usage=Usage(input=3, output=9))
    case = BrokenAnswer(said, [answer("never")])
    frames = [frame async for frame in case.resuming()]
    assert [event for frame in frames for event in frame.events] == said
    assert all(frame.data is None for frame in frames)
    assert case.asked == [] and case.exchange.notes == {}


@pytest.mark.parametrize(
    "error",
    [
        CUT,
        BetweenTimeout(detail="x"),
        RateTooLow(detail="x"),
        UpstreamMalformed(detail="x"),
        UpstreamReset(detail="x"),
        TotalTimeout(detail="x"),
        ProviderFailed("x"),
        ProviderOverloaded("x"),
    ],
    ids=lambda error: error.code,
)
@aio
async def test_whatever_broke_it_off_it_is_continued(error: GatewayError) -> None:
    """The target gets the same request and the text so far; the caller gets the rest as if nothing had happened."""
    case = BrokenAnswer(broken(STORY[:25], error), [answer(STORY[25:])])
    told = await case.told()
    assert text_of(told) == STORY and well_formed(told)
    ((name, request),) = case.asked
    assert name == "p1" and request is not None
    assert request.messages == [
        Message(role="user", parts=[Text(text="How does a lock work?")]),
        Message(role="assistant", parts=[Text(text=STORY[:25])]),
    ]
    assert case.exchange.notes == {"resumed": "after 25 characters on p1/llama (continuation)"}
    assert case.exchange.answering is case.exchange.attempts[1]
    assert case.exchange.attempts[0].seen_completion > 0


@UNHURRIED
@given(st.text(min_size=1), st.data())
def test_every_cut_is_mended_by_a_restart(full: str, data: st.DataObject) -> None:
    """Any text, cut anywhere, told again in pieces that were cut anywhere else."""
    at = data.draw(st.integers(0, len(full)))
    size = data.draw(st.integers(1, 9))
    case = BrokenAnswer(broken(full[:at]), [answer(full, size=size)])
    case.endpoints[0] = endpoint("p1", lacks=["prefill"])
    case._answers = {id(case.endpoints[0]): [answer(full, size=size)]}
    told = asyncio.run(case.told())
    assert text_of(told) == full and well_formed(told)
    assert case.kinds == ["p1 restart"]


def test_every_cut_is_mended_by_a_continuation() -> None:
    """At every offset, whether white space stands before it or not."""
    for at in range(1, len(STORY)):
        rest = STORY[len(STORY[:at].rstrip()) :]
        told = asyncio.run(BrokenAnswer(broken(STORY[:at]), [answer(rest)]).told())
        assert text_of(told) == STORY and well_formed(told)


@aio
async def test_a_beginning_does_not_end_with_white_space() -> None:
    """Anthropic refuses one that does, and others begin the rest with a second blank."""
    case = BrokenAnswer(broken("Open the gate.\n\n"), [answer("\n\nThen wait.")])
    assert text_of(await case.told()) == "Open the gate.\n\nThen wait."
    request = case.asked[0][1]
    assert request is not None and request.messages[-1].parts == [Text(text="Open the gate.")]


@aio
async def test_the_callers_own_beginning_stays_in_front() -> None:
    """Two beginnings are one message: a vendor would take the first for an earlier turn."""
    ask = ASK | {"messages": [*ASK["messages"], {"role": "assistant", "content": "In short: "}]}  # type: ignore[misc]
    case = BrokenAnswer(broken("open the "), [answer(" gate.")], ask=ask)
    assert text_of(await case.told()) == "open the gate."
    request = case.asked[0][1]
    assert request is not None and len(request.messages) == 2
    assert request.messages[-1].parts == [Text(text="In short: open the")]


@aio
async def test_a_limit_on_the_answer_holds_for_all_of_it() -> None:
    """What was said counts towards `max_tokens`, by our own estimate; a restart says it again and keeps the limit."""
    case = BrokenAnswer(broken(STORY[:40]), [answer(STORY[40:])], ask=ASK | {"max_tokens": 50})
    await case.told()
    request = case.asked[0][1]
    assert request is not None and request.max_tokens is not None and 30 < request.max_tokens < 48
    case = BrokenAnswer(broken(STORY[:40]), [answer(STORY[40:])], ask=ASK | {"max_tokens": 3})
    await case.told()
    request = case.asked[0][1]
    assert request is not None and request.max_tokens == 1


@aio
async def test_a_target_that_refuses_a_beginning_is_asked_from_the_start() -> None:
    """The same one: it is well, it only cannot do this."""
    case = BrokenAnswer(broken(STORY[:30]), [ProviderRejected("no prefill"), answer(STORY)])
    assert text_of(await case.told()) == STORY
    assert case.kinds == ["p1 continuation", "p1 restart"]
    assert case.exchange.notes["resumed"] == "after 30 characters on p1/llama (restart)"
    assert "continuation on p1/llama: provider_rejected" in case.exchange.notes["not_resumed"]


@aio
async def test_a_target_that_cannot_continue_is_not_asked_to() -> None:
    """The next one that can is."""
    case = BrokenAnswer(broken(STORY[:30]), [], [answer(STORY[30:])])
    case.endpoints[0] = endpoint("p1", lacks=["prefill"])
    assert text_of(await case.told()) == STORY
    assert case.kinds == ["p2 continuation"]


@pytest.mark.parametrize("no", [ProviderOverloaded("busy"), UpstreamReset(detail="x"), NoPlace()])
@aio
async def test_a_target_that_is_down_is_left_for_the_next(no: Any) -> None:
    """It would not answer a restart either."""
    case = BrokenAnswer(broken(STORY[:30]), [no], [answer(STORY[30:])])
    assert text_of(await case.told()) == STORY
    assert case.kinds == ["p1 continuation", "p2 continuation"]


@pytest.mark.parametrize(
    "targets",
    [
        [],
        [[ProviderRejected("no prefill"), answer("Something else altogether, about bridges.")]],
        [[ProviderRejected("no prefill"), ProviderOverloaded("busy")]],
        [[ProviderRejected("no prefill"), answer(STORY[:10])]],
        [[UpstreamReset(detail="x")], [ContentFiltered("no"), ContentFiltered("no")]],
        [[NoPlace()]],
    ],
    ids=["nobody", "diverged", "down", "shorter", "both refuse", "no place"],
)
@aio
async def test_the_first_error_is_told_when_nothing_helps(targets: Any) -> None:
    """Not the refusal of a beginning, nor any later one, and not a word of an answer that does not fit."""
    case = BrokenAnswer(broken(STORY[:30]), *targets)
    error, said = await case.failed()
    assert error is CUT and said == STORY[:30]
    assert "resumed" not in case.exchange.notes and case.exchange.notes["not_resumed"]
    assert case.exchange.answering is case.exchange.attempts[0]


@aio
async def test_a_cancelled_restart_is_closed() -> None:
    """While its words are still held back."""
    case = BrokenAnswer(broken(STORY[:30]), [ProviderRejected("x"), [*words(STORY[:10]), asyncio.Event()]])
    frames = case.resuming()
    task = asyncio.ensure_future(all_of(frames))
    while len(case.streams) < 2:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await frames.aclose()
    assert case.streams[1].closed == 1


@aio
async def test_a_diverging_attempt_is_abandoned_not_failed() -> None:
    """Its provider did nothing wrong; the record says so, and estimates what it cost."""
    case = BrokenAnswer(
        broken("Open it."), [ProviderRejected("x"), answer("Close it, whatever happens, for ever.")]
    )
    await case.failed()
    attempt = case.exchange.attempts[-1]
    assert attempt.abandoned and attempt.error is None and attempt.seen_completion > 0
    assert case.streams[1].closed == 1


@aio
async def test_a_second_break_is_mended_too() -> None:
    """Told three times, once by each attempt; the whole is one answer."""
    case = BrokenAnswer(broken(STORY[:20]), [[*broken(STORY[20:40])], answer(STORY[40:])])
    told = await case.told()
    assert text_of(told) == STORY and well_formed(told)
    assert case.exchange.notes["resumed"] == (
        "after 20 characters on p1/llama (continuation); after 40 characters on p1/llama (continuation)"
    )


class PumpedStream(FakeStream):
    """One whose frames come by call."""

    def __aiter__(self) -> PumpedStream:
        return self

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        return await pump_one(self, deliver)


@pytest.mark.parametrize("takes", [1, 2, 1000])
@pytest.mark.parametrize("end", ["well", "cut", "unmarked", "unmended"])
@aio
async def test_frames_by_call_are_the_same(takes: int, end: str) -> None:
    """Also when the reader takes a few at a time, and when the break comes in the middle of it."""
    ends: dict[str, Said] = {
        "well": answer(STORY),
        "cut": broken(STORY[:31]),
        "unmarked": [*answer(STORY)[:-1], CUT],
        "unmended": broken(STORY[:31]),
    }
    case = BrokenAnswer([], *([[answer(STORY[31:])]] if end == "cut" else []))
    case.streams = [PumpedStream(case.exchange.attempts[0], ends[end])]
    frames = case.resuming()
    told: list[Event] = []

    def deliver(frame: Frame) -> bool:
        assert frame.data is None
        told.extend(frame.events)
        return len(told) % takes != 0

    try:
        while not await frames.pump(deliver):
            pass
    except GatewayError as error:
        assert end == "unmended" and error is CUT and text_of(told) == STORY[:31]
    else:
        assert end != "unmended" and text_of(told) == STORY and well_formed(told)
    assert await frames.pump(deliver)


@aio
async def test_who_breaks_off_twice_is_asked_after_all_others() -> None:
    """Once may be bad luck: then its own words are worth more than another's. Twice is not."""
    case = BrokenAnswer([], [broken(STORY[20:30])], [ProviderRejected("x"), answer(STORY)])
    case.streams = [FakeStream(case.exchange.attempts[0], broken(STORY[:20]))]
    case.exchange.attempts[0].endpoint = case.endpoints[0]
    assert text_of(await case.told()) == STORY
    assert case.kinds == ["p2 continuation", "p1 continuation", "p2 restart"]


@aio
async def test_mending_is_bounded() -> None:
    """Two streams, then the first error, with all that was told before it."""
    case = BrokenAnswer(
        broken(STORY[:20]),
        [broken(STORY[20:30]), broken(STORY[30:40], UpstreamReset(detail="x")), answer("")],
    )
    error, said = await case.failed()
    assert error is CUT and said == STORY[:40] and len(case.asked) == 2
    case = BrokenAnswer(broken(STORY[:20]), *[[ProviderOverloaded("x")]] * 9)
    assert (await case.failed())[0] is CUT and len(case.asked) == 4


@aio
async def test_a_restart_that_falls_silent_is_given_up() -> None:
    """Held-back text is watched like any other; the silent endpoint is not asked again."""
    case = BrokenAnswer(
        broken(STORY[:30]),
        [ProviderRejected("x"), [*words(STORY[:10]), BetweenTimeout(detail="x")]],
        [ProviderRejected("x"), answer(STORY)],
    )
    assert text_of(await case.told(most=3)) == STORY
    assert case.kinds == ["p1 continuation", "p2 continuation", "p1 restart", "p2 restart"]


@aio
async def test_who_fell_silent_is_not_asked_to_finish() -> None:
    """Who was cut off is, after all others."""
    for error, asked in (
        (CUT, ["p2 continuation", "p1 continuation"]),
        (BetweenTimeout(detail="x"), ["p2 continuation"]),
    ):
        case = BrokenAnswer([], [answer(STORY[30:])], [ProviderOverloaded("x")])
        case.streams = [FakeStream(case.exchange.attempts[0], broken(STORY[:30], error))]
        case.exchange.attempts[0].endpoint = case.endpoints[0]
        if error is CUT:
            assert text_of(await case.told()) == STORY
        else:
            assert (await case.failed())[0] is error
        assert case.kinds == asked


@aio
async def test_the_callers_fault_is_not_mended() -> None:
    """A content filter that stops an answer in its middle would stop the next one too."""
    error = ContentFiltered("no")
    case = BrokenAnswer(broken(STORY[:30], error), [answer(STORY)])
    assert (await case.failed())[0] is error and case.asked == []


@aio
async def test_nobody_is_asked_for_a_caller_who_has_gone() -> None:
    """There is nobody to tell the rest to."""
    case = BrokenAnswer(broken(STORY[:30]), [answer(STORY)])
    case.exchange.hung_up = True
    assert (await case.failed())[0] is CUT and case.asked == []


@aio
async def test_usage_is_the_sum_of_what_was_reported() -> None:
    """Bucket by bucket, once, at the end. What the broken attempt never said is not made up."""
    first = [Begin(), UsageReport(usage=Usage(input=10, cache_read=4)), *words(STORY[:20]), CUT]
    case = BrokenAnswer(first, [answer(STORY[20:], usage=Usage(input=15, output=7, reasoning=1))])
    told = await case.told()
    reports = [event.usage for event in told if isinstance(event, UsageReport)]
    assert reports[-1] == Usage(input=25, cache_read=4, output=7, reasoning=1)
    case = BrokenAnswer(broken(STORY[:20]), [answer(STORY[20:], usage=Usage(input=15, output=7))])
    assert [e.usage for e in await case.told() if isinstance(e, UsageReport)] == [Usage(input=15, output=7)]
    case = BrokenAnswer(broken(STORY[:20]), [answer(STORY[20:])])
    assert not [event for event in await case.told() if isinstance(event, UsageReport)]


@aio
async def test_an_answer_that_only_lacks_its_end_mark_is_complete() -> None:
    """It said why it stopped: nothing is missing, and nobody else is asked."""
    case = BrokenAnswer([Begin(), *words(STORY), Stop(reason="end"), CUT], [answer(STORY)])
    told = await case.told()
    assert text_of(told) == STORY and well_formed(told) and case.asked == []
    assert case.exchange.notes["resumed"] == f"nothing was missing after {len(STORY)} characters"


@pytest.mark.parametrize("begun", [False, True])
@aio
async def test_leaving_early_hangs_up_on_whoever_is_talking(begun: bool) -> None:
    """Also before the first frame was taken, and more than once."""
    case = BrokenAnswer(broken(STORY[:20]), [[*words(STORY[20:]), asyncio.Event()]])
    frames = case.resuming()
    if begun:
        while len(case.streams) < 2:
            await anext(frames)
    await frames.aclose()
    await frames.aclose()
    assert case.streams[-1].closed == 2
    assert [frame async for frame in frames] == []


@aio
async def test_a_stream_that_opens_after_the_caller_has_gone_is_closed() -> None:
    """The hang-up may come while the next attempt is being made."""
    case = BrokenAnswer(broken("x"), [answer("y")])
    frames = case.resuming()
    gate = asyncio.Event()
    opened = case.open

    async def slowly(one: Endpoint, request: ChatRequest | None) -> FakeStream:
        await gate.wait()
        return await opened(one, request)

    frames._open = slowly
    reading: asyncio.Future[list[Frame]] = asyncio.ensure_future(all_of(frames))
    await asyncio.sleep(0.01)
    await frames.aclose()
    gate.set()
    await reading
    assert case.streams[-1].closed == 1


@pytest.mark.parametrize(
    "said",
    [
        [TextDelta(text="one"), TextDelta(text="two", choice=1)],
        [TextDelta(text="I must not", kind="refusal")],
        [TextDelta(text="See"), OpaqueDelta(wire="x", name="y", raw=b"", part=msgspec.Raw(b"{}"))],
        [TextDelta(text="Well"), ThinkingDelta(text="hm")],
        [ToolCallBegin(index=0, id="a", name="f"), TextDelta(text="and")],
    ],
    ids=["choices", "refusal", "opaque", "interleaved reasoning", "text after a call"],
)
@aio
async def test_what_no_other_attempt_could_go_on_with_ends_in_the_error(said: list[Event]) -> None:
    """Another model's words would not fit to it, and nobody could see."""
    case = BrokenAnswer([Begin(), *said, CUT], [answer("one"), answer("one")])
    assert (await case.failed())[0] is CUT and case.asked == []
    assert case.exchange.notes["not_resumed"].startswith("there was ")


@aio
async def test_several_answers_at_once_are_not_mended() -> None:
    """Nobody knows which of them the new one would be."""
    case = BrokenAnswer(broken("Open"), [answer(" it.")], ask=ASK | {"n": 2})
    assert (await case.failed())[0] is CUT and case.asked == []


@aio
async def test_json_is_told_again_exactly_or_told_on_to_its_end() -> None:
    """A continuation is told when the whole is JSON; a restart only if it is the same to the character."""
    full = '{"steps": ["open the upper gate", "wait until the levels are equal"], "minutes": 4}'
    ask = ASK | {"response_format": {"type": "json_object"}}
    case = BrokenAnswer(broken(full[:60]), [answer(full[60:])], ask=ask)
    assert text_of(await case.told()) == full
    case = BrokenAnswer(broken(full[:60]), [answer('{"other": 1}'), answer(full)], ask=ask)
    assert text_of(await case.told()) == full
    assert case.kinds == ["p1 continuation", "p1 restart"]
    other = full.replace("steps", "notes")
    case = BrokenAnswer(broken(full[:60]), [answer('{"other": 1}'), answer(other)], ask=ask)
    error, said = await case.failed()
    assert error is CUT and said == full[:60]
