"""Why a request is not answered from memory, what is looked at for it, and how an operator allows it."""

from __future__ import annotations

from typing import Any, get_args

import msgspec
import pytest

from headgate.cache.detect.reasons import DETECTORS, MOST_CHARS, is_personal, personal_in, prepare, why_not
from headgate.cache.policy import CachePolicy
from headgate.cache.settings import Reason
from headgate.core.messages import (
    Answer,
    Choice,
    EmbeddingsReply,
    Opaque,
    Text,
    Thinking,
    TokenCount,
    ToolCall,
)
from headgate.exchange.dialect import Dialect
from tests.support.identities import CHAT, COUNT, EMBEDDINGS, MESSAGES, RESPONSES, asks, chat, policy, turn

__all__: list[str] = []

TOOL = {"type": "function", "function": {"name": "f"}}
CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}


def why(body: dict[str, Any], rules: CachePolicy | None = None, dialect: Dialect = CHAT) -> str:
    return why_not(asks(body, dialect).request, rules or policy(), dialect.operation)


@pytest.mark.parametrize("temperature", [None, 0.01, 1])
def test_answers_that_may_vary_are_not_kept_unless_the_operator_wants_it(temperature: float | None) -> None:
    """Said to be 0, not left out: what a vendor does then is nobody's word."""
    body = chat(temperature=temperature)
    assert "temperature" in why(body)
    assert why(body, policy(when="always")) == ""
    assert why(chat(temperature=0)) == why(chat(temperature=0.0)) == ""


EXAMPLES: dict[Reason, str] = {
    "time": "What is the weather today?",
    "dates": "What happened on 3 May?",
    "prices": "What do I get for 20 euros?",
    "names": "Who was Marie Curie's teacher?",
    "ids": "What does order 48213 hold?",
    "personal": "Where is my order?",
}


def test_there_is_an_example_of_every_reason() -> None:
    """Those of the settings, no more and no less; tools are told by no text."""
    assert {*EXAMPLES, "tools"} == set(get_args(Reason)) == {*DETECTORS, "tools"}


@pytest.mark.parametrize("reason", EXAMPLES)
def test_every_reason_is_said_by_name_and_can_be_allowed(reason: Reason) -> None:
    """The word in the message is the word for `let`; what was found is not repeated."""
    text = EXAMPLES[reason]
    said = why(chat(text))
    assert said.endswith(f"(`{reason}`)")
    for word in ("weather", "May", "20", "Curie", "48213", "order?"):
        assert word not in said
    assert why(chat(text), policy(let=[reason])) == ""
    others = [each for each in get_args(Reason) if each != reason]
    assert f"(`{reason}`)" in why(chat(text), policy(let=others))


@pytest.mark.parametrize(
    "body",
    [
        chat(tools=[TOOL]),
        chat(tools=[{"type": "custom", "custom": {"name": "x"}}]),
        chat(functions=[{"name": "f"}]),
        chat(
            messages=[
                turn("a"),
                {"role": "assistant", "tool_calls": [CALL]},
                {"role": "tool", "tool_call_id": "c1", "content": "1"},
                turn("b"),
            ]
        ),
        chat(web_search_options={}),
        chat(mcp_servers=[{"url": "x"}]),
    ],
    ids=lambda body: str(sorted(body)),
)
def test_who_may_call_tools_or_has_is_not_answered_from_memory(body: dict[str, Any]) -> None:
    """An answer is then half of something that happens elsewhere."""
    assert "(`tools`)" in why(body)
    assert why(body, policy(let=["tools"])) == ""


def test_tools_that_are_forbidden_change_nothing() -> None:
    """Offered, and not to be called."""
    assert why(chat(tools=[TOOL], tool_choice="none")) == ""
    assert why(chat(tools=[], web_search_options=None)) == ""


@pytest.mark.parametrize("field", ["previous_response_id", "conversation", "prompt", "background"])
def test_what_rests_on_the_vendors_storage_is_not_the_same_twice(field: str) -> None:
    """What the vendor keeps may have changed since."""
    body = {"model": "faq", "temperature": 0, "input": "And then?", field: "x"}
    assert field in why(body, policy(when="always", let=list(get_args(Reason))), RESPONSES)


def test_users_words_are_looked_at_in_all_turns() -> None:
    """A follow-up is about what was asked before; the operator's own words and the model's are not looked at."""
    assert "(`time`)" in why(
        chat(messages=[turn("The weather today?"), turn("Fine.", "assistant"), turn("And in Rome?")])
    )
    assert why(chat(messages=[turn("Today is Monday, 3 May.", "system"), turn("Why?")])) == ""
    assert why(chat(messages=[turn("Hello"), turn("Today is Monday.", "assistant"), turn("Why?")])) == ""
    body = {"model": "faq", "temperature": 0, "max_tokens": 9, "messages": [turn("Where is my order?")]}
    assert "(`personal`)" in why(body, dialect=MESSAGES)


def test_vectors_and_counts_follow_from_their_text() -> None:
    """They are the same tomorrow."""
    assert why({"model": "faq", "input": "Where is my order today?"}, dialect=EMBEDDINGS) == ""
    body = {"model": "faq", "max_tokens": 9, "messages": [turn("Where is my order today?")]}
    assert why(body, dialect=COUNT) == ""


def test_what_is_too_long_to_be_looked_through_is_not_kept() -> None:
    """Nor is it anybody else's."""
    body = chat("a " * MOST_CHARS)
    assert "too long" in why(body)
    assert why(body, policy(let=list(get_args(Reason)))) == ""
    assert is_personal(asks(body).request)


def test_the_expressions_are_made_ready_once() -> None:
    """Before the first request; a second time costs nothing."""
    prepare()
    before = prepare.cache_info().hits
    prepare()
    assert prepare.cache_info().hits == before + 1


# Answers


@pytest.mark.parametrize(
    "part",
    [
        Text(text="Write to ann.brook@web.de."),
        Thinking(text="She is ann.brook@web.de."),
        ToolCall(id="c", name="mail", arguments='{"to": "ann.brook@web.de"}'),
        Opaque(wire="openai.chat", raw=msgspec.Raw(b'{"to": "ann.brook@web.de"}')),
    ],
    ids=lambda part: type(part).__name__,
)
def test_personal_data_are_found_wherever_an_answer_holds_them(part: Any) -> None:
    """In any choice; what it is is said, not what it says."""
    found = personal_in(Answer(choices=[Choice(parts=[Text(text="Well.")]), Choice(parts=[part])]))
    assert "mail" in found
    assert "brook" not in found


def test_answers_without_are_told_as_such() -> None:
    """The office's own address and the hotline too, vectors and counts anyway."""
    plain = Answer(
        choices=[Choice(parts=[Text(text="Ask support@acme.com or call 0800 123 4567, today for 5 euros.")])]
    )
    assert personal_in(plain) == ""
    assert (
        personal_in(EmbeddingsReply(vectors=[[0.1]]))
        == personal_in(TokenCount(input_tokens=3, exact=True))
        == ""
    )
    long = Answer(choices=[Choice(parts=[Text(text="a" * (MOST_CHARS + 1))])])
    assert "too much" in personal_in(long)
