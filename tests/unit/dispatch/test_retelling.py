"""Answers that are more than text: tool calls and reasoning that broke off and are told again."""

from __future__ import annotations

import pytest

from headgate.core.errors import ProviderRejected
from headgate.core.events import Begin, End, Event, Stop, ThinkingDelta
from headgate.core.messages import Text, Thinking, ToolCall
from tests.support.aio import aio
from tests.support.resumption import (
    CUT,
    STORY,
    BrokenAnswer,
    answer,
    broken,
    call,
    folded,
    well_formed,
    words,
)

__all__: list[str] = []


@aio
async def test_tool_calls_are_mended_if_they_come_again_exactly() -> None:
    """Cut at every event; the caller sees one call under its first id, with arguments that are whole."""
    paris, rome = '{"city": "Paris"}', '{"city": "Rome"}'
    whole = [*words("Let me look. "), *call(paris), *call(rome, index=1, id="b")]
    again = [*words("Let me look. ", 3), *call(paris, id="c"), *call(rome, index=1, id="d")]
    for at in range(4, len(whole)):
        case = BrokenAnswer([Begin(), *whole[:at], CUT], [[Begin(), *again, Stop(reason="tool_use"), End()]])
        told = await case.told()
        assert well_formed(told) and case.kinds == ["p1 restart"]
        second = "b" if at > 3 + 7 else "d"
        assert folded(told) == [
            Text(text="Let me look. "),
            ToolCall(id="a", name="weather", arguments=paris),
            ToolCall(id=second, name="weather", arguments=rome),
        ]


@pytest.mark.parametrize(
    "again",
    [
        call('{"city": "Rome"}'),
        call('{"city": "Paris"}', name="time"),
        words("It is sunny."),
        [],
        [*words("I shall see."), *call('{"city": "Paris"}')],
    ],
    ids=["arguments", "name", "text instead", "nothing", "text before"],
)
@aio
async def test_other_tool_calls_are_not_joined(again: list[Event]) -> None:
    """Half of one call and half of another would do something nobody asked for."""
    first = [Begin(), *call('{"city": "Pa'), CUT]
    case = BrokenAnswer(first, [[Begin(), *again, Stop(reason="tool_use"), End()]])
    assert (await case.failed())[0] is CUT


@aio
async def test_a_tool_call_may_follow_the_text_that_was_told() -> None:
    """The text broke off before the call was made."""
    case = BrokenAnswer(
        broken("Let me look."),
        [ProviderRejected("x"), [*words("Let me look."), *call("{}"), Stop(reason="tool_use"), End()]],
    )
    assert folded(await case.told()) == [
        Text(text="Let me look."),
        ToolCall(id="a", name="weather", arguments="{}"),
    ]


@aio
async def test_reasoning_that_was_told_is_not_told_again() -> None:
    """The answer broke off in its text: the new attempt's own reasoning is no news, signed or not."""
    thinks = [ThinkingDelta(text="Hm, "), ThinkingDelta(text="a lock."), ThinkingDelta(signature="s1")]
    again = [ThinkingDelta(text="A lock, then."), ThinkingDelta(signature="s2")]
    first = [Begin(), *thinks, *words(STORY[:20]), CUT]
    continued = BrokenAnswer(first, [[*again, *answer(STORY[20:])]])
    restarted = BrokenAnswer(first, [ProviderRejected("x"), [*again, *answer(STORY)]])
    for case in (continued, restarted):
        assert folded(await case.told()) == [Thinking(text="Hm, a lock.", signature="s1"), Text(text=STORY)]


@pytest.mark.parametrize(
    ("told", "again", "thought"),
    [
        ([ThinkingDelta(text="Hm, ")], [ThinkingDelta(text="Hm, a lock.")], Thinking(text="Hm, a lock.")),
        ([ThinkingDelta(text="Hm, ")], [ThinkingDelta(text="A lock.")], Thinking(text="Hm, ")),
        ([ThinkingDelta(text="Hm, ")], [], Thinking(text="Hm, ")),
        (
            [ThinkingDelta(text="Hm, ")],
            [ThinkingDelta(text="Hm, well."), ThinkingDelta(signature="s")],
            Thinking(text="Hm, well.", signature="s"),
        ),
        (
            [ThinkingDelta(text="Hm."), ThinkingDelta(signature="s1")],
            [ThinkingDelta(text="Oh."), ThinkingDelta(signature="s2")],
            Thinking(text="Hm.", signature="s1"),
        ),
    ],
    ids=["the same", "other", "none", "the same, signed", "told to its end"],
)
@aio
async def test_an_answer_that_broke_off_in_its_reasoning_is_told_from_the_start(
    told: list[Event], again: list[Event], thought: Thinking
) -> None:
    """The rest of the reasoning comes if it is the same; the text comes in any case."""
    case = BrokenAnswer([Begin(), *told, CUT], [[Begin(), *again, *words(STORY), Stop(reason="end"), End()]])
    events = await case.told()
    assert folded(events) == [thought, Text(text=STORY)] and well_formed(events)
    assert case.kinds == ["p1 restart"]


@aio
async def test_signed_reasoning_is_never_patched_together() -> None:
    """Its vendor would refuse the next turn: the signature is of other words."""
    again = [
        ThinkingDelta(text="A lock."),
        ThinkingDelta(signature="s"),
        *words(STORY),
        Stop(reason="end"),
        End(),
    ]
    case = BrokenAnswer([Begin(), ThinkingDelta(text="Hm, "), CUT], [again])
    assert (await case.failed())[0] is CUT
