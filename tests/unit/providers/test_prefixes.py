"""Which beginnings of prompts come back: nothing is marked that was not seen before, and nobody's is mixed up with another's."""

from __future__ import annotations

import json
from typing import Any

import pytest

from headgate.providers.port import Marks
from headgate.providers.prefixes import Beginnings, Hold, Keep, Prefix, Prefixes, beginnings_of, place_of
from tests.support.routes import place

__all__: list[str] = []

SYSTEM = "You are the help desk of a shop. " * 200
TOOLS = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]
M, F = "small", "chat"


def beginning(*turns: str, tenant: str = "", feature: str = F, **fields: Any) -> Prefix:
    """Of a chat, in which user and assistant take turns."""
    messages = [{"role": "assistant" if at % 2 else "user", "content": text} for at, text in enumerate(turns)]
    found = beginnings_of(
        json.dumps({"model": "m", "system": SYSTEM, "messages": messages, **fields}).encode(),
        tenant=tenant,
        feature=feature,
    )
    assert found is not None
    return Prefix(found)


def said(prefixes: Prefixes, prefix: Prefix, now: float = 0.0, *, model: str = M) -> set[str]:
    """What is marked."""
    marks = prefixes.marks(prefix, F, model, now)
    return {name for name in ("tools", "instructions", "history", "conversation") if getattr(marks, name)}


def keeping(keep: Keep = "5m", **settings: Any) -> Prefixes:
    return Prefixes({"": keep}, **settings)


def test_a_prompt_that_comes_once_is_not_marked():
    """To write a beginning costs more than to read it plainly: only what comes back pays for that."""
    prefixes = keeping()
    assert said(prefixes, beginning("one")) == set()
    assert said(prefixes, beginning("one", system="another one" * 100)) == set()


def test_a_system_prompt_is_marked_when_it_comes_again():
    """Whatever is asked behind it."""
    prefixes = keeping()
    said(prefixes, beginning("one"))
    assert said(prefixes, beginning("two"), 299.0) == {"instructions"}


def test_what_comes_again_too_late_has_not_come_again():
    """The provider has forgotten it by then."""
    prefixes = keeping()
    said(prefixes, beginning("one"))
    assert said(prefixes, beginning("two"), 301.0) == set()
    assert said(prefixes, beginning("three"), 600.0) == {"instructions"}


def test_for_an_hour_it_must_come_three_times():
    """Writing for an hour costs as much again: the first reading does not pay for it."""
    prefixes = keeping("1h")
    assert said(prefixes, beginning("one")) == set()
    assert said(prefixes, beginning("two"), 3_000.0) == set()
    assert said(prefixes, beginning("three"), 6_000.0) == {"instructions"}
    assert prefixes.marks(beginning("four"), F, M, 6_001.0).long


def test_tools_are_marked_where_the_system_prompt_differs():
    """They stand before it."""
    prefixes = keeping()
    said(prefixes, beginning("one", tools=TOOLS, system="It is Monday. " * 99))
    assert said(prefixes, beginning("one", tools=TOOLS, system="It is Tuesday. " * 99)) == {"tools"}


def test_tools_alone_are_instructions():
    """Without a system prompt they are all there is to mark."""
    prefixes = keeping()
    said(prefixes, beginning("one", tools=TOOLS, system=None))
    assert said(prefixes, beginning("two", tools=TOOLS, system=None)) == {"instructions"}


def test_a_conversation_that_has_gone_on_is_marked_to_its_end():
    """What has gone on once goes on mostly."""
    prefixes = keeping()
    assert said(prefixes, beginning("one")) == set()
    assert said(prefixes, beginning("one", "yes", "two")) == {"instructions", "conversation"}


def test_a_conversation_kept_for_an_hour_must_have_gone_on_twice():
    """As any other beginning."""
    prefixes = keeping("1h")
    said(prefixes, beginning("one"))
    assert said(prefixes, beginning("one", "yes", "two")) == set()
    assert said(prefixes, beginning("one", "yes", "two", "no", "three")) == {"instructions", "conversation"}


def test_a_step_of_a_tool_loop_is_a_turn():
    """A call and its result belong to the model's answer; the conversation has gone on."""
    prefixes = keeping()
    said(prefixes, beginning("one"))
    call: dict[str, Any] = {"role": "assistant", "content": None, "tool_calls": []}
    results = [{"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]
    turns = [{"role": "user", "content": "one"}, call, *results]
    assert "conversation" in said(prefixes, beginning(messages=turns))


def test_examples_before_questions_are_marked_up_to_the_last_answer():
    """The question differs each time, and the conversation never goes on."""
    prefixes = keeping()
    assert said(prefixes, beginning("2+2", "4", "3+3", "6", "1+1")) == set()
    assert said(prefixes, beginning("2+2", "4", "3+3", "6", "5+5")) == {"instructions", "history"}
    assert said(prefixes, beginning("2+2", "4", "3+3", "6", "7+7")) == {"instructions", "history"}


def test_the_same_request_again_is_marked_whole():
    """Several answers to one prompt."""
    prefixes = keeping()
    said(prefixes, beginning("one"))
    assert said(prefixes, beginning("one")) == {"instructions", "conversation"}


def test_another_attempt_is_not_another_time():
    """One request counts once, however often it is sent."""
    prefixes = keeping()
    prefix = beginning("one")
    first = prefixes.marks(prefix, F, M, 0.0)
    assert prefixes.marks(prefix, F, M, 1.0) is first
    assert not first.some


def test_what_one_model_has_read_another_has_not():
    """Models do not share what they keep."""
    prefixes = keeping()
    said(prefixes, beginning("one"), model="small")
    assert said(prefixes, beginning("one"), model="large") == set()


@pytest.mark.parametrize("other", [{"tenant": "b"}, {"feature": "mail"}])
def test_tenants_and_features_never_share_a_key_or_a_count(other):
    """Neither what is learned nor the name that a provider is told says anything of another tenant."""
    prefixes = keeping()
    mine, theirs = beginning("one"), beginning("one", **other)
    assert not set(hashes(mine.beginnings)) & set(hashes(theirs.beginnings))
    keys = prefixes.marks(mine, F, M, 0.0).key, prefixes.marks(theirs, F, M, 0.0).key
    assert keys[0] != keys[1]
    assert theirs.marks is not None and not theirs.marks.some


def hashes(found: Beginnings) -> list[bytes]:
    return [found.instructions, found.whole, *found.earlier]


def test_the_key_is_the_same_for_all_conversations_of_one_system_prompt():
    """Else a machine that has read it would not be found again; it is no longer than OpenAI takes."""
    prefixes = keeping()
    one, two = (prefixes.marks(beginning(text), F, M, 0.0).key for text in ("one", "two"))
    assert one == two
    assert len(one) <= 64


@pytest.mark.parametrize(
    "body",
    [
        {"messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": "one"}]},
        {"system": SYSTEM, "messages": [{"role": "user", "content": "one"}]},
        {"instructions": SYSTEM, "input": [{"role": "user", "content": "one"}]},
        {"instructions": SYSTEM, "input": "one"},
    ],
    ids=["chat", "messages", "responses", "responses in words"],
)
def test_every_dialect_is_read(body):
    """Each has its own names for instructions and turns."""
    found = beginnings_of(json.dumps(body).encode(), tenant="", feature="")
    assert found is not None
    assert found.instructions and found.whole and not found.earlier
    assert found.instructions_tokens > 1_000
    assert found.tokens > found.instructions_tokens


def test_calls_in_responses_are_the_models_turns():
    """What the model asked for stands there without a role."""
    items = [
        {"role": "user", "content": "one"},
        {"type": "function_call", "name": "look", "call_id": "1", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "4"},
    ]
    found = beginnings_of(json.dumps({"input": items}).encode(), tenant="", feature="")
    assert found is not None
    assert found.history == found.earlier[0]


def test_what_is_kept_at_the_provider_has_no_known_beginning():
    """Only its instructions are here."""
    body = {"instructions": SYSTEM, "input": "go on", "previous_response_id": "resp_1"}
    found = beginnings_of(json.dumps(body).encode(), tenant="", feature="")
    assert found is not None
    assert found.instructions and not found.whole


@pytest.mark.parametrize("field", ["cache_control", "prompt_cache_key"])
def test_what_the_caller_says_itself_is_told_apart(field):
    """Then it is the caller's own affair what is kept."""
    assert beginning("one", **{field: "x"}).beginnings.own
    assert not beginning("one").beginnings.own


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"messages": 3}', b'{"messages": [1]}', b'{"input": [1]}', b"\xff"]
)
def test_what_cannot_be_read_has_no_beginning(body):
    """It is somebody else's affair to say so."""
    assert beginnings_of(body, tenant="", feature="") is None


def test_it_remembers_no_more_than_it_may():
    """Who was not seen for longest goes first."""
    prefixes = keeping(most=10)
    for number in range(100):
        prefix = beginning(str(number), system=str(number) * 50)
        said(prefixes, prefix)
        prefixes.answered(prefix, place("a"), 0.0)
    assert len(prefixes) <= 2 * 10
    assert said(prefixes, beginning("99", system="99" * 50)) == {"instructions", "conversation"}


def held(prefixes: Prefixes, prefix: Prefix, now: float = 0.0) -> Hold | None:
    prefixes.hold(prefix, F, now)
    return prefix.hold


def test_a_conversation_is_held_where_it_was_answered_last():
    """Its next turn begins with all of it."""
    prefixes, here = keeping(), place("a")
    prefixes.answered(beginning("one"), here, 0.0)
    assert held(prefixes, beginning("one", "yes", "two")) == Hold((place_of(here),), conversation=True)
    assert held(prefixes, beginning("other")) == Hold((place_of(here),), conversation=False)
    assert held(prefixes, beginning("one", "yes", "two"), 301.0) is None
    assert held(prefixes, beginning("one", "yes", "two", system="another one")) is None


def test_several_places_may_hold_instructions():
    """The latest first, each once."""
    prefixes = keeping()
    a, b = place("a"), place("b")
    for at, each in enumerate((a, b, a)):
        prefixes.answered(beginning(str(at)), each, float(at))
    assert held(prefixes, beginning("new")) == Hold((place_of(a), place_of(b)), conversation=False)


def test_features_say_themselves_what_they_want():
    """And what belongs to none goes by the default."""
    prefixes = Prefixes({"": "5m", "mail": "off", "chat": "1h"})
    assert [prefixes.keep_of(name) for name in ("", "mail", "chat", "unknown")] == ["5m", "off", "1h", "5m"]
    prefixes.use({"": "off", "chat": "off"})
    assert prefixes.keep_of("chat") == "off"


def test_nothing_is_marked_unless_something_is_to_be_kept():
    """As a plain value says it."""
    assert not Marks(key="k", tokens=9).some
    assert Marks(history=True).some
